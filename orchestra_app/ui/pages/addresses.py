"""Which tab the address of the page names: a link opens it, and turning to it writes it there."""

import gradio as gr

from orchestra_app.ui.pages.ask import QUIET

OPEN = (
    "(query => query.get('run') ?? query.get('trace'))"
    "(new URLSearchParams(document.querySelector('#trace-headline .permalink')?.search))"
)
"""The id of the trace that is open on the Traces page, or null."""
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
    document.querySelector(`button[role=tab][data-tab-id="${CSS.escape(named)}"]`)?.click();
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
  // Of its filters, and of a trace that is open, the Traces page itself tells.
  if ('TAB' === 'traces' && (here.get('tab') === 'traces' || here.has('trace') || OPEN)) return;
  if ('TAB' !== 'ask') history.replaceState({ before }, '', '?tab=TAB');
  else if (own) history.replaceState(null, '', before || location.pathname);
}""".replace("OPEN", OPEN)
"""Writes the tab into the address, and keeps what the Ask page had there until that is shown again."""


def wire_addresses(blocks: gr.Blocks, tabs: gr.Tabs) -> None:
    """Let the address follow the tabs; the Traces page adds its filters and what is open there."""
    blocks.load(None, None, None, js=ARRIVED, **QUIET)
    for tab in tabs.children:
        if isinstance(tab, gr.Tab):
            tab.select(None, None, None, js=TURNED.replace("TAB", str(tab.id)), **QUIET)
