"""What is to be said of a comparison, as values: a sentence by its key, and the figures in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENGLISH = {
    "frontier_nothing": "Nothing can be compared yet.",
    "frontier_own_questions": "The settings were not asked the same questions, so their differences are also "
    "differences between questions.",
    "frontier_dropped": "Questions left out because not every setting has run on them: {count}.",
    "frontier_too_few": "Too few questions with a verdict to compare: {count}.",
    "frontier_surpassed": "Surpassed by {name}: {apart}, at {times} its cost.",
    "frontier_alike": "Cannot be told apart from {name}: {apart}, and the costs overlap.",
    "frontier_as_accurate": "Its accuracy cannot be told apart from that of {name}: {apart}, at "
    "{times} its cost.",
    "frontier_apart": "accuracy {mean} % [{low}, {high}] on {count} questions",
    "frontier_times": "{ratio:.1f} ×",
    "frontier_beyond": "${usd:.5f} more than",
    "frontier_oracle_how": "Computed, never run: on each question the cheapest setting that was right.",
    "frontier_unjudged": "No run has a verdict: give answers, or label traces, to see accuracy.",
    "frontier_undecided": "{count} answers are written otherwise than the right one and count as wrong "
    "until they are labelled, or judged by: orchestra judge",
    "frontier_collapsed": "Routing has collapsed: {most:,} of {total:,} calls go to {favourite}. Look at "
    "what else was offered, and at the reward if this policy was trained.",
    "frontier_title_labelled": "labelled traces so far",
    "frontier_n_questions": "n = {count} questions",
    "frontier_none_compared": "too few questions to compare",
    "frontier_of_catalog": "catalogue {name}",
    "frontier_prices": "prices of {days}",
    "frontier_no_prices": "no dated prices",
    "frontier_simulated": "simulated: no real money",
    "frontier_real": "real",
    "frontier_mixed": "some simulated, some real",
    "frontier_method": "95 % intervals from a paired bootstrap over questions",
    "frontier_unpaired": "not paired",
}
"""Every sentence by its key; a page has the same keys in its other languages."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence, or a part of one."""

    key: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What is filled in, other remarks included."""

    def said(self, texts: Mapping[str, str]) -> str:
        """Return it in the language of `texts`."""
        filled = {
            name: each.said(texts) if isinstance(each, Remark) else each
            for name, each in self.figures.items()
        }
        return texts[self.key].format(**filled)

    def __str__(self) -> str:
        return self.said(ENGLISH)


def remark(key: str, **figures: Any) -> Remark:
    """Return the remark with these figures."""
    return Remark(key, figures)
