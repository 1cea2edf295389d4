undrawn => {
  // Gradio keeps a status of every input of every event that ever ran, and copies them all at each step of any
  // event. It joins them to the list of what shows progress; where that is empty, the whole is.
  const unkept = events => {
    for (const { show_progress_on: shown } of events || []) {
      if (shown?.length === 0) Object.defineProperty(shown, 'concat', { value: () => [] });
    }
  };
  unkept(window.gradio_config?.dependencies);
  // The events of what is drawn later, the form among them, come in a message. A kept status would also take
  // away what is said about its field, at the next step of any event.
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const read = parse(...given);
    unkept(read?.output?.render_config?.dependencies);
    return read;
  };
  // It closes its stream when the page is being left, and would then say on it that the server is lost.
  addEventListener('beforeunload', () => document.documentElement.classList.add('leaving'));

  const PATIENCE = 20_000, language = /^zh\b/i.test(navigator.language) ? 'zh' : 'en';
  const typing = node => node && node.type !== 'radio' && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));
  const seen = node => node && node.offsetParent !== null && !node.disabled;
  const verdicts = { 1: 'correct', 2: 'incorrect', 3: 'unsure', s: 'skip', u: 'undo' };
  const votes = { a: 'better-a', b: 'better-b', t: 'tie', x: 'bad' };
  const views = ['', 'trace-', 'queue-', 'blind-'];

  // What a key stands for: a rating with Shift, a mark on the call that has the focus, a blind vote, a verdict, skip or undo.
  const meant = event => {
    const digit = event.shiftKey && /^Digit([1-5])$/.exec(event.code);
    if (digit) {
      const groups = views.map(view => document.querySelector(`#${view}rating`)).filter(seen);
      return groups[0]?.querySelectorAll('input[type=radio]')[digit[1] - 1];
    }
    const key = event.key.toLowerCase();
    const mark = event.target.closest?.('[data-keys]')?.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const name = verdicts[key];
    const vote = votes[key] && document.querySelector(`#blind-${votes[key]}`);
    if (!mark && seen(vote)) return vote;
    return mark || (name && views.map(view => document.querySelector(`#${view}${/^\d$/.test(key) ? 'verdict-' : ''}${name}`)).find(seen));
  };

  document.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.closest('#question')) {
      event.preventDefault();
      document.querySelector('#ask')?.click();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
    const button = meant(event);
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  // The form works once its sliders are drawn: what is pressed before waits for them, though not for ever.
  const drawn = () => document.querySelector('#mixer input[type=range]');
  let pressed = null;
  const press = () => {
    if (!drawn() && performance.now() - pressed < PATIENCE) return requestAnimationFrame(press);
    pressed = null;
    document.querySelector('#undrawn')?.remove();
    if (drawn()) return requestAnimationFrame(() => document.querySelector('#ask')?.click());
    const told = Object.assign(document.createElement('p'), { className: 'problem', role: 'alert', textContent: undrawn[language] });
    const box = Object.assign(document.createElement('div'), { id: 'undrawn', className: 'sheet' });
    box.append(told);
    document.querySelector('.question-card').after(box);
  };
  document.addEventListener('click', event => {
    if (drawn() || !event.target.closest?.('#ask')) return;
    event.stopImmediatePropagation();
    if (pressed !== null) return;
    pressed = performance.now();
    press();
  }, true);

  // A slider's box tells only of what the slider can stand at: to Gradio an empty one is 0, which means never.
  const stood = new WeakMap();
  const fits = ({ value, min, max }) => value !== '' && Number(value) >= Number(min) && Number(value) <= Number(max);
  const box = ({ target }) => target.matches?.('.desk input[type=number]') ? target : null;
  document.addEventListener('focusin', event => { if (box(event)) stood.set(event.target, event.target.value); });
  document.addEventListener('input', event => {
    if (!box(event)) return;
    if (fits(event.target)) stood.set(event.target, event.target.value);
    else event.stopImmediatePropagation();
  }, true);
  document.addEventListener('change', event => {
    const field = box(event);
    if (!field || fits(field)) return;
    field.value = field.value === '' ? stood.get(field) : Math.min(field.max, Math.max(field.min, field.value));
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }, true);

  // On a phone the settings would stand above the question: they start folded there.
  const fold = () => {
    const head = document.querySelector('#settings > button.label-wrap, #settings button.label-wrap');
    if (!head) return requestAnimationFrame(fold);
    if (head.classList.contains('open')) head.click();
  };
  if (matchMedia('(max-width: 760px)').matches) fold();
}
