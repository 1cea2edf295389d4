"""What a decision of a policy in this process costs; run as `python -m tests.benchmarks.policy`.

Name the folder of a model as its argument; a random one of the size of a small policy is made otherwise.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from orchestra_app.backends.base import State
from orchestra_app.backends.local import LocalModel
from orchestra_app.backends.local.legal import legal_calls
from orchestra_app.backends.local.options import LocalOptions, load_local
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.message import ToolCall
from orchestra_app.core.task import Preference, Task
from orchestra_app.core.text import EstimatedTokens
from orchestra_app.orchestrator.prompt import prompt
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.experts import SimulatedExperts
from orchestra_app.rehearsal.questions import questions
from orchestra_app.sandbox import open_sandbox
from orchestra_app.tools.box import Means, open_finders, packed_toolbox
from orchestra_app.tools.roster import Experts
from tests.tiny_qwen3 import tiny_model, tiny_tokenizer

AT_ONCE = 64
ROUNDS = 15
MOST = 48


def conversations(folder: str) -> tuple[list[tuple], list[ToolCall]]:
    """Return the first messages and tools of the rehearsal's questions, and the calls on offer."""
    catalog = load_catalog("rehearsal")
    simulated = SimulatedExperts()
    finders = open_finders(catalog, bundled=corpus(), key={}.get, cache=None)
    experts = Experts(catalog, lambda _: simulated)
    toolbox = packed_toolbox(experts, Means(finders, open_sandbox(Path(folder))))
    offered = toolbox.offer(Preference(), toolbox.wanted(Preference()))
    tools = [offer.tool_schema for offer in offered]
    found = []
    for question in questions("heldout")[:AT_ONCE]:
        state = State(task=Task(id="q", question=question.text), catalog=catalog, offered=offered)
        found.append((prompt("packed", state, tokens=EstimatedTokens(), room=30_000), tools))
    calls = legal_calls(offered)
    assert calls is not None
    return found, calls


def small_policy(texts: list[tuple]) -> LocalModel:
    """Return a random model of a small policy's size, whose tokenizer knows these conversations' words."""
    plain = tiny_model()
    words = tiny_tokenizer([plain.render(*each) for each in texts], 2_048)
    return tiny_model(hidden=96, layers=3, tokenizer=words)


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median seconds of `work`, after one round that does not count."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def decide(model: LocalModel, prompts: list[list[int]], legal: list[str] | None) -> None:
    count = len(prompts)
    model.generate(
        prompts,
        most=[MOST] * count,
        temperatures=[1.0] * count,
        seeds=list(range(count)),
        legal=[legal] * count,
    )


def main(place: str | None) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        texts, calls = conversations(folder)
    if place and (model := load_local(place, LocalOptions())).decode is not None:
        in_numpy(model, texts, calls)
    measure(LocalModel.load(place) if place else small_policy(texts), texts, calls)


def in_numpy(model: LocalModel, texts: list[tuple], calls: list[ToolCall]) -> None:
    """Print what a decision costs as the program makes it: without torch."""
    prompts, legal = [model.prompt_ids(*each) for each in texts], [model.spell(call) for call in calls]
    longer = prompts[0] + 4 * prompts[1]
    for asked in (prompts[0], longer):
        one = seconds(lambda asked=asked: decide(model, [asked], legal))
        print(f"in numpy, a held reply to {len(asked):4} tokens  {one * 1e3:7.1f} ms")


def measure(model: LocalModel, texts: list[tuple], calls: list[ToolCall]) -> None:
    """Print what a decision costs with torch."""
    prompts, legal = [model.prompt_ids(*each) for each in texts], [model.spell(call) for call in calls]
    lengths = [len(each) for each in prompts]
    print(
        f"{sum(p.numel() for p in model.model.parameters()) / 1e6:.2f} M parameters on {model.model.device}, "
    )
    print(f"prompts of {min(lengths)} to {max(lengths)} tokens, {len(legal)} legal replies, one thread")
    with torch.no_grad():
        plain = seconds(lambda: model.model(torch.tensor([prompts[0]], device=model.model.device)))
    print(f"one plain forward pass of a prompt   {plain * 1e3:7.1f} ms")
    print(
        f"rendering and tokenising a prompt    {seconds(lambda: model.prompt_ids(*texts[0])) * 1e3:7.1f} ms"
    )
    for name, held in (("held to the legal ones", legal), ("free", None)):
        one = seconds(lambda held=held: decide(model, prompts[:1], held))
        many = seconds(lambda held=held: decide(model, prompts, held), rounds=3)
        print(
            f"a reply, {name:22}      {one * 1e3:7.1f} ms ({one / plain:.1f} forward passes); "
            f"{AT_ONCE} at once: {AT_ONCE / many:.0f}/s, {many / AT_ONCE / plain:.1f} passes each"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
