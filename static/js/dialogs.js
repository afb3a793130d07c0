/* A link with data-dialog opens its page's fragment in <dialog id="dialog">; without scripts it stays a link to the page.
   data-open="id" opens a dialog that is already in the page; data-close closes the one it stands in.
   The same fragment on a page of its own (.dialog-page) is answered there: two of it would have every id twice. */
(() => {
  const dialog = document.getElementById('dialog');
  const { htmx } = window;
  let opener = null;

  const plainClick = (event) => event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

  const show = (box) => {
    if (box.open) return;
    box.showModal();
    const first = box.querySelector('[autofocus]') ?? box.querySelector('.dialog-body :is(input:not([type="hidden"], [type="radio"]), input:checked, fieldset:not(:has(input[type="radio"]:checked)) input[type="radio"], select, textarea)');
    first?.focus();
  };

  document.addEventListener('click', (event) => {
    if (!plainClick(event)) return;
    const close = event.target.closest('dialog[open] [data-close]');
    const inside = event.target.closest('[data-open]');
    const link = event.target.closest('a[data-dialog]');
    if (close) {
      event.preventDefault();
      close.closest('dialog').close();
    } else if (inside) {
      event.preventDefault();
      show(document.getElementById(inside.dataset.open));
    } else if (link && htmx && !link.closest('.dialog-page')) {
      event.preventDefault();
      if (!dialog.open) opener = link;
      htmx.ajax('GET', link.href, { source: link, target: dialog, swap: 'innerHTML' });
    }
  });

  /* first of all listeners, which show loading and problems at the target */
  document.addEventListener('htmx:beforeRequest', ({ detail }) => {
    const own = detail.target === dialog && detail.elt.closest('.dialog-page');
    if (own) detail.target = own;
  }, true);

  dialog.addEventListener('htmx:afterSwap', () => {
    if (!dialog.open && dialog.childElementCount) show(dialog);
  });

  // The fragment did not come: its full page says why.
  for (const failure of ['htmx:responseError', 'htmx:sendError', 'htmx:timeout']) {
    document.addEventListener(failure, ({ detail }) => {
      if (detail.target === dialog && !dialog.open && opener) location.assign(opener.href);
    });
  }

  document.addEventListener('close', ({ target }) => {
    if (target === dialog) dialog.replaceChildren();
    if (opener?.isConnected) opener.focus();
    opener = null;
  }, true);
})();
