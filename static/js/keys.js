/* Keys: "/" search, "?" the sheet, j and k through the rows, Esc back, and one letter for each aria-keyshortcuts in the page.
   Letters are off while typing, with modifiers, under an open dialog, and when the person switched them off. */
(() => {
  const sheet = document.getElementById('shortcuts');
  const search = document.getElementById('search');
  const off = document.body.dataset.keys === 'off';

  /* The way back that the first visit knew holds for the later ones: a saved form or another tab of the page forgets it. */
  const crumb = document.querySelector('a[data-back]');
  const place = `back:${location.pathname}`;
  if (crumb?.dataset.back === 'known') {
    sessionStorage.setItem(place, JSON.stringify([crumb.textContent, crumb.getAttribute('href')]));
  } else if (crumb && sessionStorage.getItem(place)) {
    const [label, address] = JSON.parse(sessionStorage.getItem(place));
    crumb.textContent = label;
    crumb.setAttribute('href', address);
  }

  const typing = (element) => element.matches('input:not([type="checkbox"], [type="radio"], [type="button"], [type="submit"]), textarea, select, [contenteditable]');
  const seen = (element) => element.checkVisibility() && !element.closest('[inert]');
  const top = () => document.querySelector('dialog[open]');

  const move = (step) => {
    const rows = [...document.querySelectorAll('main tr.rec .open')].filter(seen);
    if (!rows.length) return;
    const row = document.activeElement?.closest('tr.rec') ?? document.querySelector('main tr.rec[aria-current="true"]');
    const here = rows.indexOf(row?.querySelector('.open'));
    const next = rows[here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, here + step))];
    next.focus({ focusVisible: true, preventScroll: true });
    next.closest('tr').scrollIntoView({ block: 'nearest' });
  };

  const activate = (key, within) => {
    const part = [...within.querySelectorAll('[aria-keyshortcuts]')]
      .find((element) => element.getAttribute('aria-keyshortcuts').split(' ').includes(key) && seen(element) && !element.disabled);
    if (!part) return false;
    part.focus({ focusVisible: true });
    if (typing(part)) part.select?.();
    else if (part.dataset.key !== 'focus') part.click();
    return true;
  };

  /* A key of the row one stands on: "t" takes it, "r" releases it. */
  const inRow = (key) => {
    const button = document.activeElement?.closest('tr.rec')?.querySelector(`[data-row-key="${CSS.escape(key)}"]`);
    button?.click();
    return Boolean(button);
  };

  const back = () => {
    if (typing(document.activeElement)) document.activeElement.blur();
    else if (location.hash === '#rail') location.hash = '#main';
    else document.querySelector('a[data-back]')?.click();
  };

  /* The sheet lists the keys of the page it stands on. */
  const showSheet = () => {
    const section = sheet.querySelector('[data-page-keys]');
    const entries = [...document.querySelectorAll('main [aria-keyshortcuts]')].filter(seen).map((element) => {
      const word = element.cloneNode(true);
      word.querySelectorAll('.key').forEach((cap) => cap.remove());
      const term = document.createElement('dt');
      const text = document.createElement('dd');
      const cap = Object.assign(document.createElement('span'), { className: 'key', textContent: element.getAttribute('aria-keyshortcuts') });
      term.append(cap);
      text.textContent = element.getAttribute('aria-label') ?? word.textContent.trim();
      return [term, text];
    });
    section.hidden = !entries.length;
    section.querySelector('dl').replaceChildren(...entries.flat());
  };
  new MutationObserver(() => { if (sheet.open) showSheet(); }).observe(sheet, { attributeFilter: ['open'] });

  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const open = top();
    if (key === 'Escape') {
      if (!open) back();
      return;
    }
    if (off || key.length !== 1 || typing(event.target)) return;

    let done = true;
    if (key === '?') {
      if (open) return;
      document.querySelector('[data-open="shortcuts"]').click();
    } else if (open) done = activate(key, open);
    else if (key === '/' && search) search.select();
    else if (key === 'j') move(1);
    else if (key === 'k') move(-1);
    else if (inRow(key)) done = true;
    else done = activate(key, document);
    if (done) event.preventDefault();
  });
})();
