// The words of the view: texts by locale, numbers, and what is said of a note.
const locale = /^zh\b/i.test(navigator.language) ? 'zh' : 'en';
const texts = TEXTS[locale];

const fill = (key, values) => texts[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

const formats = {};
function number(value, digits = 0) {
  formats[digits] ??= new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return formats[digits].format(value);
}

function dollars(usd, digits = usd >= 1 ? 2 : 4) {
  const least = 10 ** -digits;
  return usd > 0 && usd < least / 2 ? '<$' + number(least, digits) : '$' + number(usd, digits);
}

const rate = usd => '$' + number(usd, usd && usd < 0.01 ? 4 : 2);
const duration = s => fill('seconds', { n: number(s, s >= 100 ? 0 : s && s < 0.1 ? 2 : 1) });
const open = note => note.d === undefined;
const marked = (note, mark) => (note.m || '').includes(mark);
const turnOf = note => parseInt(note.i, 10);

function cost(note, digits) {
  if (open(note)) return '…';
  if (!note.c) return note.c === 0 ? texts.free : '–';
  return (marked(note, 'e') ? '≈' : '') + dollars(note.c, digits);
}

function sentence(note) {
  const took = open(note) ? texts.open : duration(note.d);
  const said = fill('sentence', { turn: turnOf(note), lane: texts[note.l], who: note.w, cost: cost(note), seconds: took });
  return note.e ? `${said}. ${texts.error}: ${note.e}` : said;
}

function facts(note) {
  const [input, cached, output, reasoning, units] = note.u || [];
  const price = JSON.parse(shot.prices[note.p] ?? 'null'), tokens = [];
  if (input || output) tokens.push(fill('in', { n: number(input) }), fill('out', { n: number(output) }));
  if (cached) tokens.push(fill('cached', { n: number(cached) }));
  if (reasoning) tokens.push(fill('reasoning', { n: number(reasoning) }));
  const rates = [];
  if (price && (price[0] || price[2])) rates.push(fill('rates', { input: rate(price[0]), output: rate(price[2]) }));
  if (price && price[3]) rates.push(fill('rate', { unit: '$' + number(price[3], 5) }));
  return [
    ['took', open(note) ? texts.open : duration(note.d)],
    ['began', duration(note.s)],
    [note.l === 'policy' ? 'asked' : 'called', note.a],
    ['tokens', tokens.join(' · ')],
    ['units', units ? number(units, Number.isInteger(units) ? 0 : 2) : ''],
    ['price', price && (rates.join(' · ') || texts.free)],
    ['source', price && price[4]],
    ['marks', [...note.m || ''].map(mark => texts[mark]).join(' · ')],
    ['forced', note.f],
    ['error', note.e],
  ].filter(([, said]) => said);
}

