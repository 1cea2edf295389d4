"""Mathematics is compared by its meaning, in the sandbox alone; what is none is left to others."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Execution
from orchestra_app.sandbox import open_sandbox
from orchestra_app.scoring.maths import LONGEST, SECONDS, equal, latex

PAIRS = {
    ("0.5", r"\frac{1}{2}"): True,
    ("1/2", "0.5"): True,
    ("2^10", "1024"): True,
    ("x^2 + 2x + 1", "(x+1)**2"): True,
    ("2*sqrt(2)", r"\sqrt{8}"): True,
    ("√8", "sqrt(8)"): True,
    ("x = 5", "5"): True,
    (r"\{1, 2\}", r"\{2, 1\}"): True,
    (r"\boxed{\pi/2}", "π/2"): True,
    ("sin(x)^2 + cos(x)^2", "1"): True,
    ("3", "4"): False,
    (r"\sqrt{2}", "2"): False,
    ("0.5", "0.6"): False,
    # a rounding, a unit, a choice, another letter: for somebody else to judge
    ("0.333", "1/3"): None,
    ("x+1", "x+2"): None,
    ("12 m", "12"): None,
    ("12 m", "12 g"): None,
    ("50\\%", "0.5"): True,
    ("A", "B"): None,
    ("2 1/2", "2.5"): None,
    # a list whose order may count, unless its brackets say what it is
    ("3, 1, 2", "1, 2, 3"): None,
    ("1; 2", "2; 1"): None,
    ("$2, 1$", r"\boxed{1, 2}"): None,
    ("1,2,300", "1,2,300"): None,
    ("1,000", "1000"): True,
    ("1,234,567.5", "1234567.5"): True,
    ("(1, 2)", "(1, 2)"): True,
    (r"\left\{1, 2\right\}", r"\{2, 1\}"): True,
    (r"5\,000", "5000"): True,
    ("1{,}000", "1000"): True,
    # a power of a power, which is read from the right or from the left
    ("2^3^2", "512"): None,
    ("2**3**2", "64"): None,
    ("2²^3", "64"): None,
    ("2^(3^2)", "512"): True,
    ("x^2y^2", "y^2x^2"): True,
    (r"\frac{1}{", "1"): None,
    (r"2 \times 10^5", "200000"): True,
    ("6.02 × 10^23", r"6.02 \times 10^{23}"): True,
    (r"2 \cdot 3", "7"): False,
    ("3.5/2", "1.75"): True,
    ("10-3+x", "7+x"): True,
    # dates, ranges, scores, times, versions and addresses are written like sums and quotients
    ("2018", "2024-01-05"): None,
    ("2020-05-17", "2019-04-17"): None,
    ("2024/1/5", "2024-01-05"): None,
    ("17.05.2020", "2020-05-17"): None,
    ("1914–18", "1914-1918"): None,
    ("-2", "5-7"): None,
    ("1,000 - 2,000", "-1000"): None,
    ("12:30", "12:31"): None,
    ("10.0.0.1", "10.0.0.2"): None,
    ("v3.10.1", "v3.1.1"): None,
    ("1.000.000", "1000000"): None,
    # degrees against none, which may be radians
    ("π/2", "90°"): None,
    (r"\frac{\pi}{2}", r"90^\circ"): None,
    ("90", r"90^\circ"): True,
    ("90°", r"90^\circ"): True,
    ("80°", r"90^{\circ}"): False,
}
WORDS = [
    "Paris",
    "12 km",
    "not 5",
    "1e3",
    "五十",
    "",
    "...",
    "the answer is 5",
    r"\text{five}",
    "9" * (LONGEST + 1),
]
HOSTILE = [
    '__import__("os").system("id")',
    '$"); print(True); raise SystemExit #$',
    "');print(True)#",
    "9^{9^{9^{9}}}",
    "\\" * 300,
    "{" * 300,
    "(" * 300,
    r"\input{/etc/passwd}",
    "1\n2",
    "\x00",
]


class Recorded:
    """A sandbox that says it printed `said`."""

    rung, reason = "landlock", ""

    def __init__(self, said: str | None, status: int | None = 0):
        self.said, self.status = said, status
        self.ran: list[str] = []

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        self.ran.append(code)
        if self.said is None:
            raise ToolError("The sandbox is off.")
        return Execution(code=code, stdout=self.said, status=self.status)

    async def aclose(self) -> None: ...


async def compared(pairs, home: Path, seconds: float = SECONDS) -> dict:
    sandbox = open_sandbox(home)
    try:
        if (await sandbox.run("print(42)")).stdout != "42\n" or sandbox.rung != "landlock":
            pytest.skip(f"math-verify runs in the Landlock sandbox only. {sandbox.reason}")
        found = await asyncio.gather(
            *(equal(answer, gold, sandbox, seconds=seconds) for answer, gold in pairs)
        )
    finally:
        await sandbox.aclose()
    return dict(zip(pairs, found, strict=True))


async def test_answers_are_equal_by_what_they_mean(tmp_path):
    assert await compared(list(PAIRS), tmp_path) == PAIRS


async def test_a_hostile_answer_is_never_right(tmp_path):
    found = await compared([(text, "1") for text in HOSTILE], tmp_path, seconds=2)
    assert not any(found.values()), found


@pytest.mark.parametrize("text", WORDS)
async def test_words_are_no_mathematics_and_start_nothing(text):
    sandbox = Recorded("true\n")
    assert latex(text) is None
    assert await equal(text, "5", sandbox) is None and await equal("5", text, sandbox) is None
    assert sandbox.ran == []


@pytest.mark.parametrize(
    ("sandbox", "said"),
    [
        (Recorded("true\n"), True),
        (Recorded("false\n"), False),
        (Recorded("null\n"), None),
        (Recorded("true\ntrue\n"), None),
        (Recorded("true\n", status=1), None),
        (Recorded("", status=None), None),
        (Recorded(None), None),
    ],
)
async def test_only_a_plain_verdict_of_a_run_that_ended_well_counts(sandbox, said):
    assert await equal("1", "2", sandbox) is said


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text):
    found = latex(text)
    assert found is None or "$" not in found
