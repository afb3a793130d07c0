/* <button data-copy="text">: copies, says so in the button and to the screen reader. */
(() => {
  const write = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = Object.assign(document.createElement('textarea'), { value: text, className: 'visually-hidden' });
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) throw new Error('copy refused');
  };

  document.addEventListener('click', async ({ target }) => {
    const button = target.closest('[data-copy]');
    if (!button || button.dataset.busy) return;
    const before = [...button.childNodes];
    let word = 'Copied';
    try { await write(button.dataset.copy); } catch { word = 'Not copied'; }
    button.focus();
    button.dataset.busy = 'yes';
    button.replaceChildren(word);
    document.getElementById('announcer')?.replaceChildren(word);
    setTimeout(() => {
      button.replaceChildren(...before);
      delete button.dataset.busy;
    }, 1600);
  });
})();
