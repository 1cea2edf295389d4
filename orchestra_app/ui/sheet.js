// Draws the pieces that changed and leaves the others alone, so that opened details and focus last.
const box = element.querySelector('.sheet');
const AT_ONCE = 16, HELD = 'summary, a, button, [tabindex]';
let key = null, drawn = [], wanted = [], waiting = false;

function put(html, index) {
  const piece = box.children[index] || box.appendChild(document.createElement('div'));
  const all = selector => [...piece.querySelectorAll(selector)];
  const opened = all('details').map(each => each.open), place = all(HELD).indexOf(document.activeElement);
  const { action, id } = place < 0 ? {} : document.activeElement.dataset;
  // The server escaped every text in it, and nothing here evaluates templates.
  piece.innerHTML = html;
  piece.hidden = !html;
  all('details').forEach((each, index) => { if (opened[index]) each.open = true; });
  if (place >= 0) {
    const same = each => each.dataset.action === action && each.dataset.id === id;
    (action ? all(HELD).find(same) : all(HELD)[place])?.focus({ preventScroll: true });
  }
  drawn[index] = html;
}

// Many pieces are drawn a few at a time, each after the browser has painted what came before.
function fill() {
  const changed = [...wanted.entries()].filter(([index, html]) => drawn[index] !== html);
  for (const [index, html] of changed.slice(0, AT_ONCE)) put(html, index);
  if (waiting || changed.length <= AT_ONCE) return;
  waiting = true;
  requestAnimationFrame(() => setTimeout(() => { waiting = false; fill(); }));
}

function draw() {
  const value = props.value || { key: '', parts: [] };
  if (value.key !== key) {
    box.replaceChildren();
    [key, drawn] = [value.key, []];
  }
  wanted = value.parts;
  while (box.children.length > wanted.length) box.lastChild.remove();
  drawn.length = Math.min(drawn.length, wanted.length);
  fill();
}

element.addEventListener('click', event => {
  const chosen = event.target.closest('[data-action]');
  if (!chosen) return;
  const { action, id = '' } = chosen.dataset;
  trigger(action === 'open' ? 'open' : 'select', { action, id });
});
watch('value', draw);
draw();
