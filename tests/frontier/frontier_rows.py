"""Made-up runs for the tests of the frontier."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from orchestra_app.frontier.bootstrap import Samples
from orchestra_app.frontier.rows import Row


def samples(correct: ArrayLike, cost: ArrayLike | None = None) -> Samples:
    """Settings by questions; `cost` may be one figure for each setting."""
    right = np.array(correct, dtype=float)
    paid = np.array(cost if cost is not None else np.ones(len(right)), dtype=float)
    if paid.ndim == 1:
        paid = np.repeat(paid[:, None], right.shape[1], axis=1)
    paid = np.where(np.isnan(right), np.nan, paid)
    names, questions = (
        [f"{letter}{n}" for n in range(right.shape[axis])] for axis, letter in enumerate("sq")
    )
    return Samples(tuple(names), tuple(questions), right, paid, paid)


def row(setting: str, question: str, correct: bool | None, cost: float = 0.01, **fields: Any) -> Row:
    known: dict[str, Any] = {
        "trace_id": f"{setting} {question}",
        "status": "answered",
        "seconds": 1.0,
        "simulated": True,
    }
    return Row(setting=setting, question=question, correct=correct, cost=cost, **{**known, **fields})
