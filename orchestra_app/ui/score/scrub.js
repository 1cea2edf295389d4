// The scrubber: a run that is over, drawn as it stood at an earlier moment.
const DIVISIONS = 1000, LONGEST = 20, PLAYED = 20;
let full = null, heard = [], borders = [], moment = Infinity, playing = 0, stepped = 0;

const over = () => !!full && !full.live && full.status !== 'running' && full.end > 0 && full.notes.length > 0;
const past = () => over() && moment < full.end;
const pace = () => Math.max(full.simulated ? PLAYED : 1, full.end / LONGEST);
const silenceAfter = note => open(note) ? Infinity : note.s + note.d;

// Takes the snapshot that the server sent; a moment that was chosen lasts while the same run is over.
function take(next) {
  full = next;
  heard = over() ? full.notes.map(text => ({ text, note: JSON.parse(text) })) : [];
  borders = [...new Set(heard.flatMap(({ note }) => [note.s, silenceAfter(note)]))].filter(at => at < full.end);
  borders = [0, ...borders.sort((a, b) => a - b), full.end];
  if (!over()) leave();
}

function leave() {
  halt();
  moment = Infinity;
}

// What the view draws: everything, or the notes that had begun; one that had not ended is under way.
function seen() {
  if (!past()) return full;
  const done = note => silenceAfter(note) <= moment;
  const notes = heard.filter(({ note }) => note.s <= moment).map(({ text, note }) => {
    const { i, l, s, w, a, f } = note;
    return done(note) ? text : JSON.stringify({ i, l, s, w, a, f });
  });
  const cost = heard.reduce((sum, { note }) => sum + (done(note) && note.c || 0), 0);
  const played = new Set(), waits = new Set();
  for (const { note } of heard) if (!note.i.includes('.')) (done(note) ? played : waits).add(turnOf(note));
  const turns = [...played].filter(turn => !waits.has(turn)).length;
  return { ...full, status: 'running', now: moment, cost, reserved: 0, turns, error: '', notes };
}

function showScrub() {
  const bar = one('.scrub'), range = one('.scrub input'), button = one('.scrub button');
  hide(bar, !over());
  if (bar.hidden) return;
  const at = past() ? moment : full.end, speed = pace();
  const said = { n: number(at, 1), limit: number(full.end, 1), cost: dollars(shot.cost) };
  range.value = Math.round(at / full.end * DIVISIONS);
  range.setAttribute('aria-valuetext', fill('moment', said));
  say(one('.scrub .at'), fill('at', said));
  const name = playing ? texts.pause : fill('play', { speed: number(speed, speed < 10 ? 1 : 0) });
  button.dataset.playing = !!playing;
  if (button.title !== name) button.title = name;
  button.setAttribute('aria-label', name);
}

function go(to) {
  moment = to >= full.end ? Infinity : Math.max(0, to);
  picture();
}

function halt() {
  cancelAnimationFrame(playing);
  playing = 0;
}

function play() {
  if (playing) {
    halt();
    return showScrub();
  }
  const from = past() ? moment : 0;
  stepped = performance.now();
  playing = requestAnimationFrame(step);
  go(from);
}

function step() {
  if (!element.isConnected || !past()) return halt();
  const now = performance.now(), to = moment + (now - stepped) / 1000 * pace();
  const border = borders.find(at => at > moment);
  if (to >= full.end) {
    halt();
    return go(to);
  }
  playing = requestAnimationFrame(step);
  // Without motion the picture waits for the next thing that happens.
  if (calm.matches && to < border) return;
  stepped = now;
  if (to >= border) return go(to);
  moment = shown = shot.now = to;
  glide();
  showScrub();
}

// The arrows go from one thing that happened to the next; the other keys are the browser's.
function onScrubKey(event) {
  const side = ['ArrowRight', 'ArrowUp'].includes(event.key) ? 1 : ['ArrowLeft', 'ArrowDown'].includes(event.key) ? -1 : 0;
  if (!side || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  halt();
  const at = past() ? moment : full.end;
  go((side > 0 ? borders.find(each => each > at) : borders.findLast(each => each < at)) ?? at);
}

function wireScrub() {
  const range = one('.scrub input');
  range.max = DIVISIONS;
  range.setAttribute('aria-label', texts.scrub);
  range.addEventListener('input', () => { halt(); go(range.value / DIVISIONS * full.end); });
  range.addEventListener('keydown', onScrubKey);
  one('.scrub button').addEventListener('click', play);
}
