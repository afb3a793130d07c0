/* The desk: a row opens beside the list, an act opens below the receipt, Esc closes what is open.
   Without this file every link is a page of its own. */
(() => {
  const { htmx } = window;
  const wide = window.matchMedia('(min-width: 768px)');
  const plainClick = (event) => event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  const act = () => document.getElementById('act');

  const mark = (id) => {
    for (const row of document.querySelectorAll('.desklist tr[data-id]')) {
      if (row.dataset.id === id) row.setAttribute('aria-current', 'true'); else row.removeAttribute('aria-current');
    }
  };

  const open = (source, address, target) => {
    // until the next receipt is here, no key acts on the one before
    if (target === '#detail') document.getElementById('item')?.setAttribute('inert', '');
    return htmx.ajax('GET', address, { source, target, swap: 'innerHTML' });
  };
  document.addEventListener('htmx:afterRequest', ({ detail }) => {
    if (detail.target?.id === 'detail' && !detail.successful) document.getElementById('item')?.removeAttribute('inert');
  });

  document.addEventListener('click', (event) => {
    if (!htmx || event.defaultPrevented || !plainClick(event)) return;
    const link = event.target.closest('a');
    if (!link) return;
    if (link.matches('[data-pane]') && wide.matches) {
      event.preventDefault();
      open(link, link.href, '#detail');
    } else if (link.matches('[data-act]') && act()) {
      event.preventDefault();
      link.closest('details.more')?.removeAttribute('open');
      open(link, link.href, '#act');
    } else if (link.matches('[data-act-close]') && act()?.contains(link)) {
      event.preventDefault();
      close();
    }
  });

  /* The form that chooses a candidate: Enter opens the strip, and only the strip posts. */
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!htmx || !form.matches('form[data-act]') || !act()) return;
    event.preventDefault();
    open(form, `${form.action}?${new URLSearchParams(new FormData(form))}`, '#act');
  });

  function close() {
    act().replaceChildren();
    document.querySelector('.evidence input:checked')?.focus({ focusVisible: true, preventScroll: true });
  }

  /* Before the keys of every page: what is open below the receipt closes first. */
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open]')) return;
    if (!act()?.childElementCount) return;
    if (event.target.matches('textarea, input:not([type="radio"], [type="checkbox"], [type="hidden"])')) {
      event.target.blur();
    } else close();
    event.preventDefault();
  }, true);

  document.addEventListener('htmx:afterSwap', ({ detail }) => {
    const { target } = detail;
    if (target.id === 'detail') {
      const item = document.getElementById('item');
      mark(item?.dataset.id);
      history.replaceState(history.state, '', detail.pathInfo.finalRequestPath ?? location.href);
    } else if (target.id === 'list') mark(document.getElementById('item')?.dataset.id);
    else if (target.id !== 'act') return;
    const first = act()?.querySelector('[autofocus], [aria-invalid="true"]');
    if (first) first.focus({ focusVisible: true });
    if (act()?.childElementCount && target.id !== 'list') act().scrollIntoView({ block: 'nearest' });
  });
})();
