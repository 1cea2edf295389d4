texts => {
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
    follow(read);
    return read;
  };
  // Gradio's server ends the stream of messages with a page's last event. One that joins before the page has read that
  // takes the stream for open, and its messages wait for ever: another event makes Gradio open it again.
  const joined = new Set(), ended = new Set(), request = window.fetch;
  window.fetch = async (...given) => {
    const response = await request(...given);
    if (String(given[0]?.url ?? given[0]).includes('/queue/join')) {
      response.clone().json().then(({ event_id: id }) => id && !ended.delete(id) && joined.add(id), () => {});
    }
    return response;
  };
  const follow = read => {
    if (read?.msg === 'process_completed' && !joined.delete(read.event_id)) ended.add(read.event_id);
    if (read?.msg === 'close_stream') setTimeout(() => {
      if (joined.size) document.querySelector('#wake')?.click();
      joined.clear();
    });
  };
  // It closes its stream when the page is being left, and would then say on it that the server is lost.
  addEventListener('beforeunload', () => document.documentElement.classList.add('leaving'));

  const PATIENCE = 20_000, said = texts[/^zh\b/i.test(navigator.language) ? 'zh' : 'en'];
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
    // What lies under an open dialog is not seen.
    if ([...document.querySelectorAll('[role=dialog]')].some(each => each.getClientRects().length)) return;
    const button = meant(event);
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  const notice = id => {
    const box = Object.assign(document.createElement('div'), { id, className: 'sheet' });
    box.append(Object.assign(document.createElement('p'), { className: 'problem', role: 'alert', textContent: said[id] }));
    return box;
  };

  // The form works once its sliders are drawn: what is pressed before waits for them, though not for ever.
  const drawn = () => document.querySelector('#mixer input[type=range]');
  let pressed = null;
  const press = () => {
    if (!drawn() && performance.now() - pressed < PATIENCE) return requestAnimationFrame(press);
    pressed = null;
    document.querySelector('#undrawn')?.remove();
    if (drawn()) return requestAnimationFrame(() => document.querySelector('#ask')?.click());
    document.querySelector('.question-card').after(notice('undrawn'));
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

  // What is said about a field opens the folds that the field lies in.
  document.addEventListener('click', event => {
    if (!event.target.closest?.('#ask')) return;
    const until = performance.now() + 5_000;
    const open = () => {
      const told = document.querySelector('#settings .validation-error');
      if (!told) return performance.now() < until && requestAnimationFrame(open);
      const folds = [...document.querySelectorAll('#settings, #settings *')].filter(each => each.contains(told));
      const closed = folds.flatMap(each => [...each.children]).filter(each => each.matches('button.label-wrap:not(.open)'));
      closed.forEach(each => each.click());
      if (closed.length) requestAnimationFrame(() => told.closest('.block')?.querySelector('input')?.focus());
    };
    open();
  });

  // A control that a key has pressed may go, or be of no use until later: the focus passes to its heir.
  const heirs = [
    ['#ask', '#stop'], ['#stop', '#ask'], ['.undo', '[id$=verdict-correct]'], ['#blind-voting button', '#blind-undo'],
    ['#blind-undo', '#blind-better-a'], ['#frontier-stop', '#frontier-resume'], ['#older', '#newer'], ['#newer', '#older'],
    ['#traces .empty button', '#find textarea, #find input'],
  ];
  document.addEventListener('click', event => {
    if (document.activeElement === document.body || event.detail) return;
    const heir = heirs.find(([pressed]) => event.target.closest?.(pressed))?.[1], until = performance.now() + 10_000;
    const pass = () => {
      const next = [...document.querySelectorAll(heir)].find(seen), lost = document.activeElement === document.body;
      if (lost && next) return next.focus();
      if (performance.now() < until && (lost || document.activeElement === event.target)) requestAnimationFrame(pass);
    };
    if (heir) pass();
  });

  // A server that was started again knows neither this page's form nor its run: the page has to be loaded again.
  const KEPT = 'orchestra question', { app_id: known, root, api_prefix: prefix } = window.gradio_config ?? {};
  let looked = performance.now();
  const look = async () => {
    if (!known || performance.now() - looked < 5_000 || document.querySelector('#restarted')) return;
    looked = performance.now();
    const answer = await fetch(`${root}${prefix ?? ''}/app_id`).catch(() => null);
    const now = answer?.ok && (await answer.json()).app_id;
    if (!now || now === known) return;
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: said.reload });
    button.addEventListener('click', () => {
      sessionStorage.setItem(KEPT, document.querySelector('#question textarea')?.value ?? '');
      location.reload();
    });
    const box = notice('restarted');
    box.append(button);
    document.body.append(box);
  };
  for (const kind of ['pointerdown', 'keydown', 'focus']) addEventListener(kind, look, true);
  const kept = sessionStorage.getItem(KEPT);
  const give = () => {
    const field = document.querySelector('#question textarea');
    if (!field || !drawn()) return requestAnimationFrame(give);
    sessionStorage.removeItem(KEPT);
    if (field.value) return;
    field.value = kept;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
  if (kept) give();
}
