"""Which tab the address of the page names: a link opens it, and turning to it writes it there."""

import gradio as gr

from orchestra_app.ui.pages.ask import QUIET

OPEN = (
    "(query => query.get('run') ?? query.get('trace'))"
    "(new URLSearchParams(document.querySelector('#trace-headline .permalink')?.search))"
)
"""The id of the trace that is open on the Traces page, or null."""
INSIDE = (
    "(name => name !== 'find' && name)"
    "(document.querySelector('#trace-tabs button[role=tab][aria-selected=true]')?.dataset.tabId)"
)
"""The tab inside the Traces page that is shown, where that is another than the list."""
ADDRESS = """(shown) => {
  if (!shown?.link || INSIDE) return;
  const opens = new URLSearchParams(shown.link).get('trace');
  const write = frames => {
    const open = OPEN;
    // A list may come later than the trace that was opened from it meanwhile, and a trace than it was left.
    if (window.arrived === false || (opens ? opens === window.left : open)) return;
    // What a trace shows may be drawn later than its address comes.
    if (opens && opens !== open) return void (frames && requestAnimationFrame(() => write(frames - 1)));
    if (opens) window.opened = opens;
    else window.left = null;
    const here = new URLSearchParams(location.search), own = here.has('tab') || here.has('trace');
    const state = own ? history.state : { before: location.search };
    const anew = opens && here.get('tab') === 'traces' && !here.has('trace');
    history[anew ? 'pushState' : 'replaceState'](state, '', shown.link);
  };
  write(300);
}""".replace("OPEN", OPEN).replace("INSIDE", INSIDE)
"""Writes where the page stands into the address, and keeps what another tab had there.

From the list to a trace is a step of its own, which the browser can go back.
"""
ARRIVED = """() => {
  document.addEventListener('click', event => {
    if (event.target.closest('#traces .trace')) window.left = null;
    if (event.target.closest('#back')) window.left = OPEN ?? window.left;
  });
  window.addEventListener('popstate', () => {
    const here = new URLSearchParams(location.search), back = document.querySelector('#back');
    if (here.get('tab') === 'traces' && !here.has('trace') && back?.offsetParent) return back.click();
    // What comes in before it is gone writes no address.
    window.arrived = false;
    location.reload();
  });
  const named = new URLSearchParams(location.search).get('tab');
  // Gradio also tells of the tab that is there at first, before the link was read.
  requestAnimationFrame(() => {
    window.arrived = true;
    if (!named || named === 'traces') return;
    const press = (name, frames) => {
      const button = document.querySelector(`button[role=tab][data-tab-id="${CSS.escape(name)}"]`);
      if (button?.ariaSelected === 'true') return;
      button?.click();
      // One inside a page is there when that is drawn, and may be put back while it is.
      if (frames) requestAnimationFrame(() => press(name, frames - 1));
    };
    const inside = ['label', 'blind'].includes(named);
    press(inside ? 'traces' : named, 0);
    if (inside) press(named, 300);
  });
}""".replace("OPEN", OPEN)
"""Opens the tab of a link, and follows the browser back and forth.

The Traces page reads the rest of its own links and opens itself.
"""
TURNED = """() => {
  // What a tab asks of the server may take until another one is shown.
  const shown = document.querySelector('button[role=tab][data-tab-id=TAB][aria-selected=true]');
  if (!window.arrived || !shown) return;
  const here = new URLSearchParams(location.search), own = here.has('tab') || here.has('trace');
  const before = own ? history.state?.before : location.search;
  const name = ('TAB' === 'traces' && INSIDE) || 'TAB';
  // Of its filters, and of a trace that is open, the Traces page itself tells.
  if (name === 'traces' && (here.get('tab') === 'traces' || here.has('trace') || OPEN)) return;
  if (name !== 'ask') history.replaceState({ before }, '', `?tab=${name}`);
  else if (own) history.replaceState(null, '', before || location.pathname);
}""".replace("OPEN", OPEN).replace("INSIDE", INSIDE)
"""Writes the tab into the address, and keeps what the Ask page had there until that is shown again."""


def wire_addresses(blocks: gr.Blocks, tabs: gr.Tabs, *, inside: gr.Tabs, listed: gr.HTML) -> None:
    """Let the address follow the tabs; the Traces page adds its filters and what is open there.

    inside: the tabs of the Traces page. listed: what has the address of its list.
    """
    blocks.load(None, None, None, js=ARRIVED, **QUIET)
    for tab in inside.children:
        if isinstance(tab, gr.Tab):
            turned = tab.select(None, None, None, js=TURNED.replace("TAB", "traces"), **QUIET)
            turned.then(None, listed, None, js=ADDRESS, **QUIET)
    for tab in tabs.children:
        if isinstance(tab, gr.Tab):
            tab.select(None, None, None, js=TURNED.replace("TAB", str(tab.id)), **QUIET)
