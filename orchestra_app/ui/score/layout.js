// Where things stand: notes, bar lines, ticks and money along the time axis, and the cursor that moves over them.
const SPANS = [10, 20, 30, 60, 90, 120, 180, 240, 300, 450, 600, 900, 1200, 1800, 3600, 7200];
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const HEAD = 14, LABEL = 46, TICK = 76, BROKEN = 0.4;

const ended = note => open(note) ? Math.max(shown, note.s) : note.s + note.d;

function style(node, name, value) {
  node.kept ??= {};
  if (node.kept[name] === value) return;
  node.kept[name] = value;
  node.style[name] = value + 'px';
}

// A label stands inside a bar that has room for it, else beside it where the next note leaves room.
function label(item, room) {
  const inside = item.width - HEAD - 8 >= LABEL;
  const left = inside ? HEAD + 4 : Math.max(HEAD, item.width) + 3;
  const space = Math.floor((inside ? item.width : room) - left - 3);
  item.label.hidden = space < LABEL;
  item.label.classList.toggle('beside', !inside);
  style(item.label, 'left', left);
  style(item.label, 'maxWidth', space);
}

function layLane(lane, scale) {
  const last = [];
  for (const item of lane.items) {
    const { note, row, button } = item, before = last[row];
    // A note too short to be seen keeps the width of its head, and pushes the next one aside.
    const free = before ? before.left + Math.max(HEAD, before.width) + 1 : 0;
    item.left = Math.round(Math.max(free, Math.min(note.s * scale, wide - HEAD)));
    item.width = Math.max(2, Math.round((ended(note) - note.s) * scale));
    style(button, 'left', item.left);
    style(button, 'width', Math.max(HEAD, item.width));
    style(item.bar, 'width', item.width);
    button.style.setProperty('--row', row);
    if (before) label(before, item.left - before.left);
    last[row] = item;
  }
  last.forEach(item => label(item, wide - item.left));
}

// Bar lines: one where each turn begins, and one that closes the score.

function layBars(scale) {
  let free = -Infinity;
  for (const { note } of marks) {
    if (note.i !== String(turnOf(note))) continue;
    if (!bars.has(note.i)) bars.set(note.i, make('i', 'bar', one('.bars'), number(turnOf(note))));
    const bar = bars.get(note.i), left = Math.round(note.s * scale);
    style(bar, 'left', left);
    bar.classList.toggle('mute', left < free);
    if (left >= free) free = left + 22;
  }
  if (!bars.has('end')) bars.set('end', make('i', 'close', one('.bars')));
  bars.get('end').hidden = shot.live || shot.status === 'running';
  style(bars.get('end'), 'left', Math.round(shot.now * scale));
}

function layTicks(scale) {
  const row = one('.ticks'), step = STEPS.find(each => each * scale >= TICK) || 7200;
  const count = Math.floor(span.now / step) + 1;
  while (row.children.length < count) make('span', '', row);
  while (row.children.length > count) row.lastChild.remove();
  [...row.children].forEach((tick, index) => {
    tick.textContent = fill('seconds', { n: number(index * step) });
    style(tick, 'left', Math.round(index * step * scale));
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
  return limit !== null && shot.cost + shot.reserved < BROKEN * limit;
}

function ceiling() {
  const most = shot.cost + shot.reserved, limit = shot.budget.cost;
  if (limit === null || broken()) return nice(Math.max(most * 1.05, 0.0001));
  return Math.max(limit, most * 1.05, 0.0001);
}

function layMoney(scale) {
  const base = high - 1, roof = broken() ? 36 : 20;
  const y = usd => base - Math.min(1.2, usd / top.now) * (base - roof);
  const paid = marks.filter(item => item.note.c).sort((a, b) => ended(a.note) - ended(b.note));
  const steps = one('.steps');
  while (steps.children.length < paid.length) shape('circle', steps, { r: 3 });
  while (steps.children.length > paid.length) steps.lastChild.remove();
  let path = `M0,${base}`, sum = 0;
  paid.forEach((item, index) => {
    sum += item.note.c;
    const left = Math.min(wide, ended(item.note) * scale);
    path += `H${left.toFixed(1)}V${y(sum).toFixed(1)}`;
    const dot = steps.children[index];
    dot.dataset.lane = item.note.l;
    dot.classList.toggle('chosen', item.note.i === chosen);
    dot.setAttribute('cx', left);
    dot.setAttribute('cy', y(sum));
  });
  const end = Math.max(0, Math.min(wide, shown * scale));
  one('.curve').setAttribute('d', path + `H${end.toFixed(1)}`);
  one('.area').setAttribute('d', path + `H${end.toFixed(1)}V${base}Z`);
  layReserved(scale, y, end);
  layLevels(y);
}

function layReserved(scale, y, end) {
  const from = Math.min(...marks.filter(item => open(item.note)).map(item => item.note.s * scale), end);
  const roof = y(shot.cost + shot.reserved), box = one('.reserved');
  style(box, 'left', from);
  style(box, 'top', roof);
  style(box, 'width', Math.max(0, end - from));
  style(box, 'height', y(shot.cost) - roof);
}

function layLevels(y) {
  const limit = shot.budget.cost, line = one('.money .limit'), scale = one('.scale');
  const at = limit === null ? 0 : broken() ? 18 : y(limit);
  line.style.display = limit === null ? 'none' : '';
  const sides = { x1: 0, x2: wide, y1: at, y2: at };
  for (const name in sides) line.setAttribute(name, sides[name]);
  const levels = limit === null || broken() ? [top.goal / 2, top.goal] : [limit / 2];
  one('.levels').replaceChildren();
  scale.replaceChildren();
  for (const usd of levels) {
    shape('line', one('.levels'), { x1: 0, x2: wide, y1: y(usd), y2: y(usd) });
    style(make('span', 'level', scale, dollars(usd)), 'top', y(usd));
  }
  if (limit === null) return;
  const said = make('span', 'budget', scale, fill(broken() ? 'broken' : 'budget', { cost: dollars(limit) }));
  style(said, 'top', at);
  said.classList.toggle('over', shot.cost > limit);
}

// Time: the cursor moves between snapshots while the run is live and in view.

function advance() {
  const passed = calm.matches ? 0 : (performance.now() - arrived) / 1000 * shot.speed;
  const moment = shot.live ? shot.now + passed : shot.now;
  // The clock waits rather than stepping back where a snapshot is late by less than a second.
  shown = shot.live && shown > moment && shown - moment < shot.speed ? shown : moment;
  span.goal = shot.end === null ? live() : Math.max(0.5, shot.end) * 1.02;
  ease(span, 0.001);
  ease(top, 0.001);
}

function live() {
  const most = Math.max(shown, shot.now, 1.2 * shot.speed);
  return SPANS.find(each => most <= each * 0.88) || most * 1.3;
}

function ease(value, close) {
  const gap = value.goal - value.now;
  const there = calm.matches || !value.now || Math.abs(gap) < close * value.goal;
  value.now = there ? value.goal : value.now + gap * 0.18;
}

const settled = () => span.now === span.goal && top.now === top.goal;

function layout(all) {
  if (!shot || !wide) return;
  const scale = wide / span.now;
  if (!all && settled() && Math.abs(shown - laid) * scale < 0.5) return;
  laid = shown;
  for (const name of LANES) layLane(lanes[name], scale);
  layBars(scale);
  layTicks(scale);
  layMoney(scale);
  const item = drawn.get(chosen), left = Math.round(shown * scale);
  style(one('.cursor'), 'left', left);
  one('.drop').hidden = !item;
  if (item) style(one('.drop'), 'left', Math.round(ended(item.note) * scale));
  meter('seconds', shown, shot.budget.seconds, fill('seconds', { n: number(shown, 1) }), texts.seconds);
  if (scrolls && follows && shot.live) scroller.scrollLeft = left - scroller.clientWidth * 0.7;
}

function tick() {
  request = 0;
  if (!shot || !element.isConnected) return;
  advance();
  layout(false);
  schedule();
}

function schedule() {
  const moves = shot && inView && wide && !calm.matches && (shot.live || !settled());
  if (moves && !request) request = requestAnimationFrame(tick);
}

