// Where things stand: notes, bar lines, ticks and money along the time axis, and the cursor that moves over them.
const SPANS = [10, 30, 60, 120, 240, 480, 900, 1800, 3600, 7200];
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const ROW = 36, HEAD = 14, LABEL = 46, TICK = 76, BROKEN = 0.4;

let height = () => 0, path = '', told = 0, due = 0, late = 0;

const ended = note => open(note) ? Math.max(shown, note.s) : note.s + note.d;

// What is already so is not written again: a frame must cost little.

function style(node, name, value) {
  node.kept ??= {};
  if (node.kept[name] === value) return;
  node.kept[name] = value;
  node.style[name] = value + 'px';
}

// Moves a node without a new layout of the page, which a change of `left` or `top` asks for.
function move(node, x, y = 0) {
  const to = `${x}px ${y}px`;
  if (node.moved !== to) node.style.translate = node.moved = to;
}

function say(node, text) {
  if (node.said === text) return;
  node.said = text;
  if (node.firstChild) node.firstChild.data = text;
  else node.textContent = text;
}

function hide(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

function put(node, values) {
  node.kept ??= {};
  for (const name in values) {
    if (node.kept[name] !== values[name]) node.setAttribute(name, node.kept[name] = values[name]);
  }
}

// A label stands inside a bar that has room for it, else beside it where the next note leaves room.
function label(item) {
  const inside = open(item.note) || item.width - HEAD - 8 >= LABEL;
  const left = inside ? HEAD + 4 : Math.max(HEAD, item.width) + 3;
  const space = Math.floor((inside && !open(item.note) ? item.width : item.room) - left - 3);
  // Most labels of a long score never find room, and need not be.
  if (space < LABEL) return item.label = item.label?.remove();
  if (!item.label) {
    item.label = make('span', 'label', item.button);
    item.name = make('bdi', 'who', item.label);
    item.price = make('span', 'price', item.label);
  }
  say(item.name, item.note.w);
  say(item.price, cost(item.note));
  hide(item.name, !item.named);
  item.label.classList.toggle('beside', !inside);
  move(item.label, left);
  style(item.label, 'maxWidth', space);
}

// An open note has a bar that grows by a transform, which moves nothing else.
function stretch(item, scale) {
  item.width = Math.max(2, Math.round((ended(item.note) - item.note.s) * scale));
  if (!open(item.note)) return item.bar = item.bar?.remove();
  item.bar ??= make('span', 'bar', item.button);
  item.bar.style.transform = `scaleX(${item.width / 100})`;
}

function layLane(lane, scale) {
  const last = [];
  for (const item of lane.items) {
    const before = last[item.row];
    // A note too short to be seen keeps the width of its head, and pushes the next one aside.
    const free = before ? before.left + Math.max(HEAD, before.width) + 1 : 0;
    item.left = Math.round(Math.max(free, Math.min(item.note.s * scale, wide - HEAD)));
    item.room = wide - item.left;
    move(item.button, item.left, 2 + item.row * ROW);
    stretch(item, scale);
    style(item.button, 'width', Math.max(HEAD, item.width));
    if (before) before.room = item.left - before.left;
    last[item.row] = item;
  }
}

// Bar lines: one where each turn begins, and one that closes the score.

function layBars(scale) {
  const row = one('.numbers'), close = one('.close');
  let free = -Infinity, lines = '', count = 0;
  for (const { note } of marks) {
    if (note.i !== String(turnOf(note))) continue;
    const left = Math.round(note.s * scale);
    lines += `M${left + 0.5},0V999`;
    if (left < free) continue;
    free = left + 22;
    const said = row.children[count++] || make('span', '', row);
    say(said, number(turnOf(note)));
    move(said, left);
  }
  while (row.children.length > count) row.lastChild.remove();
  put(one('.bars path'), { d: lines });
  hide(close, shot.live || shot.status === 'running');
  move(close, Math.round(shot.now * scale));
}

function layTicks(scale) {
  const row = one('.ticks'), step = STEPS.find(each => each * scale >= TICK) || 7200;
  const count = Math.max(1, Math.floor((span.now - TICK / 2 / scale) / step) + 1);
  while (row.children.length < count) make('span', '', row);
  while (row.children.length > count) row.lastChild.remove();
  [...row.children].forEach((tick, index) => {
    say(tick, fill('seconds', { n: number(index * step) }));
    move(tick, Math.round(index * step * scale));
  });
}

// Money: a step where each note ends, against the budget.

const nice = value => {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 2.5, 5, 10].find(each => each * unit >= value * 0.9999);
};

// The budget line is drawn off the scale while the curve would lie flat under it.
function broken() {
  const limit = shot.budget.cost;
  return limit !== null && full.cost + full.reserved < BROKEN * limit;
}

function ceiling() {
  const most = full.cost + full.reserved, limit = shot.budget.cost;
  if (limit === null || broken()) return nice(Math.max(most * 1.05, 0.0001));
  return Math.max(limit, most * 1.05, 0.0001);
}

function layMoney(scale) {
  const base = high - 1, roof = broken() ? 36 : 20, steps = one('.steps');
  const paid = marks.filter(item => item.note.c).sort((a, b) => ended(a.note) - ended(b.note));
  while (steps.children.length < paid.length) shape('circle', steps, { r: 3 });
  while (steps.children.length > paid.length) steps.lastChild.remove();
  height = usd => base - Math.min(1.2, usd / top) * (base - roof);
  path = `M0,${base}`;
  let sum = 0;
  paid.forEach(({ note }, index) => {
    sum += note.c;
    const left = Math.min(wide, ended(note) * scale).toFixed(1), dot = steps.children[index];
    path += `H${left}V${height(sum).toFixed(1)}`;
    dot.classList.toggle('chosen', note.i === chosen);
    put(dot, { 'data-lane': note.l, cx: left, cy: height(sum).toFixed(1) });
  });
  layLevels();
}

function layLevels() {
  const limit = shot.budget.cost, line = one('.money .limit'), lines = one('.levels'), scale = one('.scale');
  const levels = limit === null || broken() ? [top / 2, top] : [limit / 2];
  while (lines.children.length < 2) shape('line', lines), make('span', 'level', scale);
  [...lines.children].forEach((each, index) => {
    const usd = levels[index], said = scale.querySelectorAll('.level')[index];
    each.style.visibility = said.style.visibility = usd ? '' : 'hidden';
    if (!usd) return;
    put(each, { x1: 0, x2: wide, y1: height(usd), y2: height(usd) });
    say(said, dollars(usd));
    move(said, 0, height(usd));
  });
  const at = limit === null ? 0 : broken() ? 18 : height(limit), said = one('.scale .budget');
  line.style.visibility = said.style.visibility = limit === null ? 'hidden' : '';
  put(line, { x1: 0, x2: wide, y1: at, y2: at });
  move(said, 0, at);
  if (limit !== null) say(said, fill(broken() ? 'broken' : 'budget', { cost: dollars(limit) }));
  said.classList.toggle('over', limit !== null && shot.cost > limit);
}

function layReserved(scale, end) {
  const from = Math.min(end, ...marks.filter(item => open(item.note)).map(item => item.note.s * scale));
  const roof = height(shot.cost + shot.reserved);
  put(one('.reserved'), { x: from, y: roof, width: Math.max(0, end - from), height: height(shot.cost) - roof });
}

function layNotes() {
  if (wide) for (const name of LANES) layLane(lanes[name], wide / span.now);
}

function layout() {
  if (!shot || !wide || !high) return;
  const scale = wide / span.now, item = drawn.get(chosen);
  layNotes();
  marks.forEach(label);
  layBars(scale);
  layTicks(scale);
  layMoney(scale);
  hide(one('.drop'), !item);
  if (item) move(one('.drop'), Math.round(ended(item.note) * scale));
  clock();
  glide();
}

// What time alone moves: open notes, the ends of curve and reservation, the cursor and the clock.
function glide() {
  if (!shot || !wide || !high) return;
  const scale = wide / span.now, end = Math.max(0, Math.min(wide, shown * scale));
  laid = shown;
  for (const item of marks) if (open(item.note)) stretch(item, scale);
  one('.curve').setAttribute('d', `${path}H${end.toFixed(1)}`);
  one('.area').setAttribute('d', `${path}H${end.toFixed(1)}V${high - 1}Z`);
  layReserved(scale, end);
  one('.cursor').style.transform = `translateX(${end.toFixed(1)}px)`;
  if (performance.now() - told > 90) clock();
  // A phone shows a part of the score: it turns the page where the cursor comes near the edge.
  const hidden = end - scrolled > view * 0.85 || end < scrolled;
  if (view && follows && (shot.live || playing) && hidden) scroller.scrollLeft = scrolled = Math.max(0, end - view * 0.45);
}

function clock() {
  told = performance.now();
  meter('seconds', shown, shot.budget.seconds, fill('seconds', { n: number(shown, 1) }));
}

// Time goes on between snapshots while the run is live and in view.

function advance() {
  const passed = calm.matches ? 0 : (performance.now() - arrived) / 1000 * shot.speed;
  const moment = shot.live ? shot.now + passed : shot.now;
  // The clock waits rather than stepping back where a snapshot is late by less than a second.
  shown = shot.live && shown > moment && shown - moment < shot.speed ? shown : moment;
  span.goal = shot.end === null ? extent() : Math.max(0.5, shot.end) * 1.02;
  ease();
}

function extent() {
  const most = Math.max(shown, 1.2 * shot.speed);
  return SPANS.find(each => most <= each * 0.88) || most * 1.3;
}

// The axis takes a few frames to a new scale, so that the eye can follow.
function ease() {
  const gap = span.goal - span.now;
  const there = calm.matches || !span.now || Math.abs(gap) < 0.06 * span.goal;
  span.now = there ? span.goal : span.now + gap * 0.45;
}

const settled = () => span.now === span.goal;

function tick() {
  request = 0;
  late = performance.now() - due;
  if (!shot || !element.isConnected) return;
  const before = settled();
  advance();
  // What is owed lays everything out in the next frame.
  if (owed) return schedule();
  if (!before || !settled()) layout();
  else if (Math.abs(shown - laid) * wide >= span.now) glide();
  schedule();
}

function schedule() {
  if (request || !shot || !inView || !wide || calm.matches || !(shot.live || !settled())) return;
  // A frame for every pixel that the cursor moves is enough, and 40 a second; fewer where frames come late, so
  // that a busy machine has time for what is new.
  const often = Math.max(25, 1000 * span.now / wide / shot.speed, late > 25 ? 4 * late : 0);
  const pause = settled() ? Math.min(200, often) - 8 : 0;
  const frame = () => requestAnimationFrame(tick);
  due = performance.now() + Math.max(0, pause);
  request = pause > 0 ? setTimeout(frame, pause) : frame();
}
