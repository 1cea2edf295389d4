// Draws the snapshot in props.value. Data enters the page through textContent, styles in pixels and attributes only.
const LANES = ['policy', 'expert', 'search', 'retrieve', 'python', 'judge'];
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const drawn = new Map();
let shot = null, marks = [], arrived = 0, shown = 0, laid = -1, request = 0;
let wide = 0, high = 0, view = 0, scrolled = 0, follows = true, inView = true;
let top = 0, chosen = '', described = '', owed = false;
const span = { now: 0, goal: 0 };

element.querySelector('.orchestra-score').innerHTML = VIEW;

const one = selector => element.querySelector(selector);
const detail = one('.detail'), list = one('.list ol'), scroller = one('.scroll'), chart = one('.money svg');

function make(tag, name, parent, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function shape(tag, parent, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  parent.append(made);
  return made;
}

// Notes: made once, changed only where the snapshot changed, so that focus and animations last.

function newNote(id) {
  const button = make('button', 'note');
  button.type = 'button';
  button.dataset.id = id;
  button.tabIndex = drawn.size ? -1 : 0;
  const item = { button };
  drawn.set(id, item);
  return item;
}

function drawNote(text, place) {
  if (marks[place]?.text === text) return marks[place];
  const note = JSON.parse(text), item = drawn.get(note.i) || newNote(note.i);
  Object.assign(item, { note, text });
  item.button.setAttribute('aria-pressed', note.i === chosen);
  item.button.dataset.kind = open(note) ? 'open' : note.e ? 'bad' : marked(note, 'x') ? 'cut' : note.f ? 'forced' : 'done';
  const home = lanes[note.l] || lanes.python;
  if (item.button.parentNode !== home.notes) home.notes.append(item.button);
  return item;
}

// What is read out of a note; it changes with the note's text.
function tellNote(item) {
  if (item.told === item.text) return;
  item.told = item.text;
  if (!item.line) (item.line = make('li')).dir = 'auto';
  const said = sentence(item.note);
  item.line.textContent = said;
  item.button.setAttribute('aria-label', said);
}

function newLane(name) {
  const lane = make('div', 'lane', one('.lanes'));
  lane.dataset.lane = name;
  const head = make('div', 'head', lane), title = make('span', 'title', head);
  make('i', 'glyph', title);
  make('span', '', title, texts[name]);
  const lines = { lane, sum: make('span', 'sum', head), notes: make('div', 'notes', lane), items: [] };
  lines.notes.setAttribute('role', 'group');
  lines.notes.setAttribute('aria-label', texts[name]);
  lane.hidden = name === 'judge';
  return [name, lines];
}

// Calls that overlap in time stand in rows above each other; the rest of a lane shares one row.
function stack(lane) {
  const ends = [];
  lane.items.sort((a, b) => a.note.s - b.note.s);
  for (const item of lane.items) {
    let row = ends.findIndex(end => end <= item.note.s + 0.002);
    if (row < 0) row = ends.length;
    ends[row] = open(item.note) ? Infinity : item.note.s + item.note.d;
    item.row = row;
  }
  style(lane.notes, 'height', Math.max(1, ends.length) * ROW);
}

function tellLane(lane) {
  const total = lane.items.reduce((sum, item) => sum + (item.note.c || 0), 0);
  say(lane.sum, [total && dollars(total), lane.items.length && lane.items.length + '×'].filter(Boolean).join(' · '));
  // The policy's name would stand on every bar: its first note says it.
  lane.items.forEach((item, index) => {
    item.named = !index || item.note.l !== 'policy' || item.note.w !== lane.items[index - 1].note.w;
  });
}

// Totals, details and the list.

function meter(name, used, limit, figure) {
  const [box, numbers, line, bound] = meters[name], share = limit ? used / limit : used > 0 && limit === 0 ? 1 : 0;
  say(numbers, figure);
  say(bound, limit === null ? texts.unlimited : fill('of', { limit: limits[name](limit) }));
  line.style.width = Math.min(100, share * 100).toFixed(1) + '%';
  box.dataset.level = share > 1 ? 'over' : share > 0.8 ? 'near' : 'fine';
}

const limits = { cost: usd => dollars(usd), seconds: s => fill('seconds', { n: number(s) }), turns: n => number(n) };
const meters = Object.fromEntries(Object.keys(limits).map(name => {
  const box = one(`[data-meter=${name}]`);
  return [name, [box, ...['.figure', '.fill', '.bound'].map(part => box.querySelector(part))]];
}));

function totals() {
  const { budget, reserved } = shot, live = shot.live && shot.speed > 1;
  meter('cost', shot.cost, budget.cost, dollars(shot.cost));
  meter('turns', shot.turns, budget.turns, number(shot.turns));
  say(one('.more'), reserved ? fill('held', { cost: dollars(reserved) }) : '');
  one('.held').style.width = (budget.cost ? Math.min(100, reserved / budget.cost * 100) : 0) + '%';
  say(one('.status'), texts[shot.status]);
  const badge = [shot.simulated && texts.simulated, live && fill('playing', { speed: number(shot.speed) })];
  say(one('.badge'), badge.filter(Boolean).join(' · '));
  hide(one('.skip'), !live);
  say(one('.trouble'), shot.error);
  hide(one('.trouble'), !shot.error);
  const limit = budget.cost === null ? texts.unlimited : fill('budget', { cost: dollars(budget.cost) });
  const said = { status: texts[shot.status], cost: dollars(shot.cost), budget: limit, turns: shot.turns, limit: budget.turns };
  const spoken = fill('spoken', said);
  // What is announced is what became of the run, not each picture of its past.
  if (!past()) say(one('.spoken'), spoken);
}

function describe() {
  const item = drawn.get(chosen), key = item ? item.text : 'none';
  if (key === described) return;
  described = key;
  detail.replaceChildren();
  if (!item) {
    turnBelow();
    return make('p', 'choose', detail, texts.choose);
  }
  const { note } = item, card = make('div', 'particulars', detail), head = make('div', 'title', card);
  card.dataset.lane = note.l;
  make('i', 'glyph', head);
  make('bdi', 'who', head, note.w);
  make('span', 'where', head, `${texts[note.l]} · ${fill('turn', { turn: number(turnOf(note)) })}`);
  make('b', '', head, cost(note, 6));
  const rows = make('dl', '', card);
  for (const [name, said] of facts(note)) {
    const row = make('div', name, rows);
    make('dt', '', row, texts[name]);
    make('dd', '', row, said).dir = 'auto';
  }
  const turn = turnBelow();
  if (turn) make('button', 'read', card, fill('read', { turn: number(turnOf(note)) })).type = 'button';
}

// The turn of a chosen note is opened and marked in the transcript of the same view, if it has one.
function turnBelow() {
  const view = element.closest('[id$=live]'), item = drawn.get(chosen);
  const below = view && document.getElementById(view.id.replace(/live$/, 'transcript'));
  for (const turn of below?.querySelectorAll('.turn[aria-current]') || []) turn.removeAttribute('aria-current');
  const turn = item && below?.querySelectorAll('.turn')[turnOf(item.note) - 1];
  turn?.setAttribute('aria-current', 'true');
  return turn;
}

function readTurn() {
  const turn = turnBelow();
  if (!turn) return;
  turn.open = true;
  turn.scrollIntoView({ behavior: calm.matches ? 'auto' : 'smooth', block: 'start' });
  turn.querySelector('summary').focus({ preventScroll: true });
}

function choose(id) {
  chosen = id === chosen ? '' : id;
  for (const [each, item] of drawn) item.button.setAttribute('aria-pressed', each === chosen);
  describe();
  layout();
  trigger('select', { run: shot.run, id: chosen });
}

function neighbour(id, key) {
  const order = [...marks].sort((a, b) => a.note.s - b.note.s), at = order.findIndex(item => item.note.i === id);
  if (key === 'ArrowRight') return order[at + 1];
  if (key === 'ArrowLeft') return order[at - 1];
  if (key === 'Home') return order[0];
  if (key === 'End') return order.at(-1);
  const side = key === 'ArrowDown' ? 1 : key === 'ArrowUp' ? -1 : 0, { note } = order[at];
  for (let lane = LANES.indexOf(note.l) + side; side && LANES[lane]; lane += side) {
    const near = lanes[LANES[lane]].items.map(item => [Math.abs(item.note.s - note.s), item]).sort((a, b) => a[0] - b[0]);
    if (near.length) return near[0][1];
  }
}

function onKey(event) {
  follows = false;
  const button = event.target.closest('.note');
  if (!button || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape' && chosen) return choose(chosen);
  const next = neighbour(button.dataset.id, event.key);
  if (!next) return;
  event.preventDefault();
  next.button.focus();
}

function onFocus(event) {
  const button = event.target.closest('.note');
  if (!button) return;
  for (const { button: each } of drawn.values()) each.tabIndex = each === button ? 0 : -1;
}

function clear() {
  drawn.clear();
  for (const name of LANES) Object.assign(lanes[name], { items: [] }).notes.replaceChildren();
  for (const selector of ['.numbers', '.list ol', '.ticks', '.steps']) one(selector).replaceChildren();
  for (const selector of ['.curve', '.area']) one(selector).removeAttribute('d');
  put(one('.bars path'), { d: '' });
  hide(one('.close'), true);
  span.now = 0;
  scrolled = 0;
  // At once it would lay the page out, before what changes with it is written.
  requestAnimationFrame(() => { scroller.scrollLeft = scrolled; });
  leave();
  [full, heard] = [null, []];
  [shot, marks, shown, laid, chosen, described, follows] = [null, [], 0, -1, '', '', true];
}

function rest() {
  one('.score').dataset.state = 'empty';
  for (const name in limits) {
    meter(name, 0, null, name === 'cost' ? dollars(0) : name === 'seconds' ? duration(0) : number(0));
    say(meters[name][3], '');
  }
  for (const name of LANES) [stack(lanes[name]), tellLane(lanes[name])];
  for (const selector of ['.status', '.badge', '.more', '.spoken', '.trouble']) say(one(selector), '');
  one('.held').style.width = 0;
  one('.skip').hidden = one('.trouble').hidden = one('.scrub').hidden = true;
  scroller.setAttribute('aria-label', texts.plain);
  describe();
}

function draw() {
  const next = props.value;
  if (!next?.notes || next.run !== full?.run) clear();
  if (!next?.notes) return rest();
  take(next);
  picture();
}

// Notes that come back stand where they stood: order tells which of two lies above.
function inOrder(parent, nodes) {
  nodes.forEach((node, place) => {
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] || null);
  });
}

function picture() {
  const live = shot?.live;
  [shot, arrived] = [seen(), performance.now()];
  marks = shot.notes.map(drawNote);
  const ids = new Set(marks.map(item => item.note.i));
  for (const [id, item] of drawn) if (!ids.has(id)) [item.button.remove(), item.line?.remove(), drawn.delete(id)];
  if (marks.length && !marks.some(item => item.button.tabIndex === 0)) marks[0].button.tabIndex = 0;
  for (const name of LANES) lanes[name].items = marks.filter(item => (lanes[item.note.l] ? item.note.l : 'python') === name);
  for (const name of LANES) inOrder(lanes[name].notes, lanes[name].items.map(item => item.button));
  for (const name of LANES) stack(lanes[name]);
  hide(lanes.judge.lane, !full.notes.some(text => text.includes('"l":"judge"')));
  advance();
  if (!live && !shot.live) return complete();
  // While notes come, they are painted first and what is said about them in the next frame.
  layNotes();
  // Laid out while the browser waits for its next frame, which then only paints.
  void scroller.offsetWidth;
  if (!owed) requestAnimationFrame(() => setTimeout(() => shot ? complete() : owed = false, 5));
  owed = true;
}

function complete() {
  owed = false;
  one('.score').dataset.state = shot.live ? 'live' : shot.status;
  scroller.setAttribute('aria-label', fill('region', { question: shot.question }));
  marks.forEach(tellNote);
  for (const name of LANES) tellLane(lanes[name]);
  inOrder(list, marks.map(item => item.line));
  top = ceiling();
  totals();
  showScrub();
  describe();
  layout();
  schedule();
}

function measure() {
  // What is hidden has no size; the one that it had is most likely the one that it will have.
  if (!lanes.policy.notes.clientWidth) return;
  [wide, high] = [lanes.policy.notes.clientWidth, chart.clientHeight];
  view = scroller.scrollWidth > scroller.clientWidth + 1 ? scroller.clientWidth : 0;
  layout();
  schedule();
}

if (!document.getElementById('score-sheet')) make('style', '', document.head, SHEET).id = 'score-sheet';
const lanes = Object.fromEntries(LANES.map(newLane));
for (const node of element.querySelectorAll('[data-text]')) node.textContent = texts[node.dataset.text];
element.addEventListener('click', event => {
  const note = event.target.closest('.note');
  if (note) choose(note.dataset.id);
  if (event.target.closest('.read')) readTurn();
  if (event.target.closest('.skip')) trigger('skip', { run: shot.run });
});
element.addEventListener('keydown', onKey);
element.addEventListener('focusin', onFocus);
for (const kind of ['wheel', 'pointerdown']) scroller.addEventListener(kind, () => { follows = false; }, { passive: true });
wireScrub();
new ResizeObserver(measure).observe(one('.plot'));
new IntersectionObserver(entries => { inView = entries.at(-1).isIntersecting; schedule(); }).observe(element);
watch('value', draw);
draw();
