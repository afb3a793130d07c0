/* What changes without a new page is said, shown as loading when slow, and explained in place when it fails. */
(() => {
  const announcer = document.getElementById('announcer');
  const waiting = new WeakMap();

  const boxOf = (target) => {
    if (target === document.body) return document.getElementById('main');
    return target.closest('.sheet') ?? target.closest('table') ?? target;
  };

  const say = (text) => {
    announcer.textContent = '';
    setTimeout(() => { announcer.textContent = text; }, 50);
  };

  document.addEventListener('htmx:beforeRequest', ({ detail }) => {
    const box = boxOf(detail.target);
    const timer = setTimeout(() => {
      box.classList.add('is-loading');
      box.setAttribute('aria-busy', 'true');
    }, 300);
    waiting.set(detail.xhr, () => {
      clearTimeout(timer);
      box.classList.remove('is-loading');
      box.removeAttribute('aria-busy');
    });
  });
  document.addEventListener('htmx:beforeSwap', ({ detail }) => waiting.get(detail.xhr)?.());
  document.addEventListener('htmx:afterRequest', ({ detail }) => waiting.get(detail.xhr)?.());

  document.addEventListener('htmx:beforeOnLoad', ({ detail }) => {
    if (detail.xhr.status < 400) place(detail.target);
  });
  document.addEventListener('htmx:afterSettle', ({ target }) => {
    if (!target.isConnected) return;
    /* the list's answer brings the messages of the filters, the fields themselves stay */
    for (const message of document.querySelectorAll('.filters .invalid-feedback')) {
      const field = message.parentElement.querySelector('.form-control');
      if (message.textContent) field.setAttribute('aria-invalid', 'true'); else field.removeAttribute('aria-invalid');
    }
    const words = [target, ...target.querySelectorAll('[data-announce]')].map((part) => part.dataset?.announce).filter(Boolean);
    if (words.length) say([...new Set(words)].join(' '));
  });

  /* Puts a problem before the part it belongs to, in the place of an earlier one; nothing to put takes that one away. */
  function place(target, problem) {
    if (target.id === 'dialog' && !target.open) return;
    const box = boxOf(target);
    const inside = box.matches('dialog, main');
    const host = inside ? (box.querySelector('.dialog-body') ?? box) : box;
    const earlier = inside ? host.firstElementChild : host.previousElementSibling;
    if (earlier?.matches('.problem')) earlier.remove();
    if (!problem) return;
    if (inside) host.prepend(problem); else host.before(problem);
    problem.scrollIntoView({ block: 'nearest' });
  }

  function retry({ elt, requestConfig }) {
    const type = requestConfig.triggeringEvent?.type;
    if (elt.isConnected && type && type !== 'load') window.htmx.trigger(elt, type);
    else location.reload();
  }

  function build(words, detail, retriable) {
    const problem = document.createElement('div');
    problem.className = 'banner is-stop problem';
    problem.setAttribute('role', 'alert');
    const who = document.createElement('p');
    who.className = 'who';
    const strong = document.createElement('b');
    strong.textContent = words[0];
    who.append(strong, ` ${words[1]} `);
    if (retriable) {
      const again = Object.assign(document.createElement('button'), { type: 'button', className: 'plain', textContent: 'Try again' });
      again.addEventListener('click', () => retry(detail));
      who.append(again);
    }
    const id = detail.xhr?.getResponseHeader?.('X-Request-Id');
    if (id) {
      const code = document.createElement('code');
      code.textContent = id;
      who.append(' · request ', code);
    }
    problem.append(who);
    return problem;
  }

  /* After a session has ended the page holds a token of the old one. Signed in again in another tab, as the same
     person, the page takes the new token and goes on with what was typed. */
  let ended = false;

  async function renew() {
    const answer = await fetch(location.href, { headers: { 'X-Refresh': '1' } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const person = (page) => page.querySelector('.person')?.textContent;
    if (person(fresh) !== person(document)) return;
    const headers = fresh.body.getAttribute('hx-headers');
    document.body.setAttribute('hx-headers', headers);
    for (const field of document.querySelectorAll('input[name="csrf_token"]')) field.value = JSON.parse(headers)['X-CSRFToken'];
    ended = false;
  }

  document.addEventListener('htmx:confirm', (event) => {
    if (!ended) return;
    event.preventDefault();
    renew().catch(() => {}).then(() => event.detail.issueRequest(true));
  });

  const reads = (detail) => detail.requestConfig.verb === 'get';

  document.addEventListener('htmx:responseError', ({ detail }) => {
    const { xhr, target } = detail;
    if (xhr.status === 401) ended = true;
    if (xhr.status < 500) {
      const sent = new DOMParser().parseFromString(xhr.responseText, 'text/html').querySelector('.problem');
      if (sent) {
        place(target, document.adoptNode(sent));
        return;
      }
    }
    const words = reads(detail) ? ['Could not load.', 'Nothing was changed.'] : ['This could not be done.', 'Nothing was changed.'];
    place(target, build(words, detail, reads(detail)));
  });

  for (const failure of ['htmx:sendError', 'htmx:timeout']) {
    document.addEventListener(failure, ({ detail }) => {
      const words = reads(detail)
        ? ['Could not load.', 'Nothing was changed.']
        : ['No answer came back.', 'It is not known whether this was done: reload before you try again.'];
      place(detail.target, build(words, detail, reads(detail)));
    });
  }
})();
