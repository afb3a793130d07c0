/* Runs in the head: "system" follows the person's device, and a choice in the theme form is applied and saved at once. */
(() => {
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');

  const apply = () => {
    if (root.dataset.theme === 'system') root.dataset.bsTheme = dark.matches ? 'dark' : 'light';
  };
  apply();
  dark.addEventListener('change', apply);

  document.addEventListener('change', async ({ target }) => {
    const form = target.closest?.('[data-theme-form]');
    if (!form) return;
    if (target.value === 'system') {
      root.dataset.theme = 'system';
    } else {
      delete root.dataset.theme;
      root.dataset.bsTheme = target.value;
    }
    apply();
    document.querySelectorAll('[data-theme-form] select').forEach((select) => { select.value = target.value; });
    try {
      const answer = await fetch(form.action, { method: 'POST', body: new FormData(form), redirect: 'manual' });
      if (answer.status >= 400) form.submit();
    } catch {
      form.submit();
    }
  });
})();
