"""Counts the statuses that Gradio's client copies at each step of any event, one per component."""

STATUSES = """
  window.statuses = 0;
  const entries = Object.entries;
  Object.entries = map => {
    const found = entries(map);
    // The status of one component, as Gradio's client keeps it to show progress.
    statuses += found.filter(([, each]) => each && Object.hasOwn(each, 'queue_position')).length;
    return found;
  };
"""
