/* The palette: Ctrl-K or ⌘-K opens it, the focus stays in its field, arrows choose, Enter opens what is chosen.
   Both keys have a modifier, so they stay where somebody switched single letters off. The pages last visited are kept
   for this tab only, under the person's name, and go with the sign-out. */
(() => {
  const palette = document.getElementById('palette');
  const text = document.getElementById('palette-text');
  const results = document.getElementById('palette-results');
  const person = document.querySelector('.person')?.textContent ?? '';
  const place = `recent:${person}`;
  const MOST = 6;
  let enterWaits = false;

  /* pages last visited */
  const recent = () => {
    try {
      return JSON.parse(sessionStorage.getItem(place)) ?? [];
    } catch {
      return [];
    }
  };
  const forget = (mine) => {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith('recent:') && (mine || key !== place)) sessionStorage.removeItem(key);
  };
  const here = location.pathname + location.search;
  const before = recent().filter(([address]) => address !== here);
  forget(false);
  if (!document.querySelector('.problem-page') && location.pathname !== '/find') {
    const title = document.title.split(' · ').slice(0, -1).join(' · ');
    sessionStorage.setItem(place, JSON.stringify([[here, title], ...before].slice(0, MOST + 1)));
  }
  document.querySelector('.rail-foot form')?.addEventListener('submit', () => forget(true));

  const offerRecent = (list) => {
    if (!before.length) return;
    const group = document.createElement('div');
    group.setAttribute('role', 'group');
    group.setAttribute('aria-labelledby', 'palette-recent');
    const label = Object.assign(document.createElement('p'), { className: 'palette-group', id: 'palette-recent', textContent: 'Recent' });
    label.setAttribute('role', 'presentation');
    group.append(label);
    before.slice(0, MOST).forEach(([address, title], number) => {
      const option = Object.assign(document.createElement('a'), { className: 'palette-option', id: `palette-recent-${number}`, href: address, tabIndex: -1 });
      option.setAttribute('role', 'option');
      option.setAttribute('aria-selected', 'false');
      option.append(Object.assign(document.createElement('span'), { textContent: title }));
      group.append(option);
    });
    list.prepend(group);
  };

  const options = () => [...results.querySelectorAll('[role="option"]')];
  const chosen = () => results.querySelector('[aria-selected="true"]');
  const choose = (option) => {
    chosen()?.setAttribute('aria-selected', 'false');
    if (!option) {
      text.removeAttribute('aria-activedescendant');
      return;
    }
    option.setAttribute('aria-selected', 'true');
    text.setAttribute('aria-activedescendant', option.id);
    option.scrollIntoView({ block: 'nearest' });
  };
  const move = (step) => {
    const all = options();
    if (all.length) choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
  };
  /* what is listed belongs to what is typed */
  const current = () => results.querySelector('#palette-list')?.dataset.text === text.value.trim();

  results.addEventListener('htmx:afterSettle', () => {
    const list = results.querySelector('#palette-list');
    if (!list) return;
    if (!text.value.trim()) offerRecent(list);
    const all = options();
    text.setAttribute('aria-expanded', String(all.length > 0));
    choose(all[0]);
    if (enterWaits && current()) chosen()?.click();
    enterWaits = false;
  });

  new MutationObserver(() => {
    if (!palette.open) {
      text.setAttribute('aria-expanded', 'false');
      return;
    }
    text.value = '';
    enterWaits = false;
    text.focus();
    window.htmx?.trigger(text, 'palette:open');
  }).observe(palette, { attributeFilter: ['open'] });

  text.addEventListener('keydown', (event) => {
    // without htmx the form leads to the page of the same name
    if (event.isComposing || !window.htmx) return;
    if (event.key === 'ArrowDown') move(1);
    else if (event.key === 'ArrowUp') move(-1);
    else if (event.key === 'Enter') {
      if (current()) chosen()?.click();
      else enterWaits = true;
    } else return;
    event.preventDefault();
  });

  document.addEventListener('keydown', (event) => {
    if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (palette.open) palette.close();
    else if (!document.querySelector('dialog[open]')) document.querySelector('[data-open="palette"]').click();
  });
})();
