// Draws the pieces that changed and leaves the others alone, so that opened details and focus last.
const box = element.querySelector('.sheet');
let key = null, drawn = [];

function draw() {
  const value = props.value || { key: '', parts: [] };
  if (value.key !== key) {
    box.replaceChildren();
    [key, drawn] = [value.key, []];
  }
  value.parts.forEach((html, index) => {
    if (drawn[index] === html) return;
    const piece = box.children[index] || box.appendChild(document.createElement('div'));
    const opened = [...piece.querySelectorAll('details')].map(each => each.open);
    // The server escaped every text in it, and nothing here evaluates templates.
    piece.innerHTML = html;
    piece.hidden = !html;
    piece.querySelectorAll('details').forEach((each, place) => { if (opened[place]) each.open = true; });
  });
  while (box.children.length > value.parts.length) box.lastChild.remove();
  drawn = [...value.parts];
}

element.addEventListener('click', event => {
  const chosen = event.target.closest('[data-action]');
  if (!chosen) return;
  const { action, id = '' } = chosen.dataset;
  trigger(action === 'open' ? 'open' : 'select', { action, id });
});
watch('value', draw);
draw();
