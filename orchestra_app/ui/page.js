() => {
  const typing = node => node && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));
  const seen = node => node && node.offsetParent !== null && !node.disabled;
  const verdicts = { 1: 'correct', 2: 'incorrect', 3: 'unsure' };

  document.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.closest('#question')) {
      event.preventDefault();
      document.querySelector('#ask')?.click();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
    const button = [...document.querySelectorAll(`#verdict-${verdicts[event.key]}, #trace-verdict-${verdicts[event.key]}`)].find(seen);
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  // On a phone the settings would stand above the question: they start folded there.
  const fold = () => {
    const head = document.querySelector('#settings > button.label-wrap, #settings button.label-wrap');
    if (!head) return requestAnimationFrame(fold);
    if (head.classList.contains('open')) head.click();
  };
  if (matchMedia('(max-width: 760px)').matches) fold();
}
