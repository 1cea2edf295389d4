import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from rehearsal_world import CATALOG, OpenPurse, ask, request_for, run_programs, state_for

from orchestra_app.core.errors import BackendError, BudgetError
from orchestra_app.core.message import Document, Message, Reply, ToolCall
from orchestra_app.core.trace import Turn
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.experts import SimulatedExperts
from orchestra_app.rehearsal.questions import Question, QuestionKind, questions

BY_TITLE = {document.title: document for document in corpus()}
ALIASES = [(tool.kind, alias) for tool in CATALOG.tools.values() for alias in tool.choices]


def of_kind(kind: QuestionKind, count: int = 120) -> list[Question]:
    return [question for question in questions("heldout") if question.kind == kind][:count]


def needed(question: Question) -> list[Document]:
    return [BY_TITLE[title] for title in question.needs]


def answer_in(reply: Reply) -> str:
    found = re.search(r"<answer>(.*)</answer>|\\boxed\{(.*)\}", reply.text, re.DOTALL)
    assert found is not None, reply.text
    return found[1] or found[2]


def code_in(reply: Reply) -> str:
    found = re.search(r"```python\n(.*?)\n```", reply.text, re.DOTALL)
    assert found is not None, reply.text
    return found[1]


def query_in(reply: Reply) -> str:
    found = re.fullmatch(r"<query>(.*)</query>", reply.text)
    assert found is not None, reply.text
    return found[1]


async def right(
    alias: str, asked: Iterable[Question], *, documents: bool = False, outputs: bool = False
) -> int:
    count = 0
    for question in asked:
        state = state_for(
            question,
            documents=needed(question) if documents else (),
            outputs=[f"{question.gold}\n"] if outputs else (),
        )
        count += answer_in(await ask(alias, state)) == question.gold
    return count


@pytest.mark.parametrize(("kind", "alias"), ALIASES)
async def test_equal_calls_get_equal_replies_and_every_alias_has_its_chances(kind: str, alias: str):
    for question in questions("heldout")[:6]:
        first, second = await ask(alias, state_for(question)), await ask(alias, state_for(question))
        assert first == second
        assert first.finish == "stop"
        read = {"search": query_in, "reason": code_in, "answer": answer_in}[kind]
        assert read(first)


async def test_another_seed_draws_other_tokens_and_other_luck():
    asked = of_kind("specialist", 40)
    replies = [[await ask("answer-2", state_for(each, seed=seed)) for each in asked] for seed in (0, 1)]
    assert [r.charges[0].usage for r in replies[0]] != [r.charges[0].usage for r in replies[1]]
    assert [r.text for r in replies[0]] != [r.text for r in replies[1]]


@pytest.mark.parametrize(
    ("kind", "alias"),
    [("fact", "answer-1"), ("fact", "answer-4"), ("twodoc", "answer-1"), ("twodoc", "answer-3")],
)
async def test_the_documents_make_answers_right_more_often(kind: QuestionKind, alias: str):
    asked = of_kind(kind)
    without, with_documents = await right(alias, asked), await right(alias, asked, documents=True)
    assert with_documents > without + 20


@pytest.mark.parametrize("kind", ["maths", "code", "twodoc"])
async def test_a_computation_that_printed_the_answer_makes_answers_right_more_often(kind: QuestionKind):
    asked = of_kind(kind)
    without = await right("answer-3", asked, documents=True)
    assert await right("answer-3", asked, documents=True, outputs=True) > without + 20


async def test_only_the_needed_documents_and_a_real_output_of_the_answer_help():
    other = [BY_TITLE[place] for place in list(BY_TITLE)[:3]]
    for question in of_kind("fact", 60):
        alone = answer_in(await ask("answer-4", state_for(question)))
        assert answer_in(await ask("answer-4", state_for(question, documents=other))) == alone
    for question in of_kind("maths", 60):
        alone = answer_in(await ask("answer-3", state_for(question)))
        longer = state_for(
            question, outputs=[f"7{question.gold}5 and -{question.gold} and {question.gold}.5"]
        )
        assert answer_in(await ask("answer-3", longer)) == alone


async def test_more_context_never_makes_a_right_answer_wrong():
    for question in of_kind("twodoc"):
        states = [
            state_for(question),
            state_for(question, documents=needed(question)),
            state_for(question, documents=needed(question), outputs=[question.gold]),
        ]
        verdicts = [answer_in(await ask("answer-2", state)) == question.gold for state in states]
        assert verdicts == sorted(verdicts)


async def test_a_wrong_answer_is_plausible_never_the_gold_and_follows_a_wrong_computation():
    wrong = 0
    for question in questions("heldout")[:300]:
        given = answer_in(await ask("answer-math-2", state_for(question)))
        if given == question.gold:
            continue
        wrong += 1
        assert given.lstrip("-").isdigit() == question.gold.lstrip("-").isdigit()
        assert len(given.split()) == len(question.gold.split())
        misled = await ask("answer-math-2", state_for(question, outputs=["123456"]))
        assert answer_in(misled) == "123456"
    assert wrong > 100


async def test_programs_of_the_reasoner_mostly_print_the_gold_answer_in_real_python():
    asked = [each for each in questions("heldout")[:900] if each.program]
    rates = {}
    for alias in ("reasoner-1", "reasoner-3"):
        replies = [await ask(alias, state_for(each, documents=needed(each))) for each in asked]
        printed = run_programs([code_in(reply) for reply in replies])
        hits = [out.strip() == each.gold for out, each in zip(printed, asked, strict=True)]
        rates[alias] = sum(hits) / len(hits)
        assert any(out == "" for out in printed)
        assert any(out.strip() not in ("", each.gold) for out, each in zip(printed, asked, strict=True))
    assert rates["reasoner-1"] > 0.92 > rates["reasoner-3"] + 0.03


async def test_a_program_uses_no_figure_of_a_document_that_was_not_found():
    for question in of_kind("twodoc"):
        for found in (needed(question)[:1], []):
            assert not re.search(
                r"\d", code_in(await ask("reasoner-1", state_for(question, documents=found)))
            )


async def test_a_query_names_everything_or_has_lost_words_and_asks_only_for_what_is_missing():
    full, poor = 0, 0
    for question in of_kind("twodoc", 200):
        words = query_in(await ask("search-3", state_for(question))).split()
        assert set(words) <= set(question.query.split())
        full += words == question.query.split()
        poor += len(words) < len(question.query.split())
        rest = query_in(await ask("search-1", state_for(question, documents=needed(question)[:1])))
        assert question.needs[0] not in rest
    assert full > poor > 10


async def test_asking_again_after_a_poor_query_may_give_a_better_one():
    turn = Turn(
        offered=(),
        instruction="",
        reply=Reply(calls=(ToolCall(id="1", name="search", arguments={"model": "search-3"}),)),
    )
    changed = 0
    for question in of_kind("fact"):
        first = state_for(question)
        again = first._replace(turns=(turn,))
        changed += (await ask("search-3", first)).text != (await ask("search-3", again)).text
    assert changed > 10


@pytest.mark.parametrize("alias", ["answer-1", "answer-4", "reasoner-1", "search-1"])
async def test_a_reply_cut_at_the_granted_tokens_is_charged_for_them_and_says_nothing_usable(alias: str):
    state, purse = state_for(questions("heldout")[0]), OpenPurse(tokens=150)
    request = request_for(alias, state)._replace(min_output=100)
    reply = await SimulatedExperts().complete(request, purse)
    assert reply.finish == "length"
    assert purse.charges[0].usage.output_tokens == 150
    assert not re.search(r"<query>|```|<answer>|boxed", reply.text)
    whole = await ask(alias, state)
    assert purse.charges[0].usage.seconds < whole.charges[0].usage.seconds


async def test_a_call_that_outlasts_the_seconds_left_is_stopped_then_and_booked_at_its_worst_case():
    purse = OpenPurse(seconds=5.0)
    with pytest.raises(BackendError, match="5 s that were left"):
        await ask("answer-1", state_for(questions("heldout")[0]), purse)
    (charge,) = purse.charges
    assert charge.usage.seconds == 5.0
    assert charge.cost == charge.price.cost(purse.uses[0].most)


async def test_tokens_and_seconds_lie_around_the_usual_figures_and_within_the_reservation():
    for _, alias in ALIASES:
        found = CATALOG.choice(alias)
        assert found is not None
        for question in questions("heldout")[:30]:
            purse = OpenPurse()
            reply = await ask(alias, state_for(question), purse)
            used, use = purse.charges[0].usage, purse.uses[0]
            assert reply.charges == tuple(purse.charges)
            assert 0.79 < used.output_tokens / found[1].typical_output < 1.21
            assert 0.8 <= used.seconds / found[1].latency <= 1.2
            assert used.input_tokens == use.most.input_tokens == use.least.input_tokens
            assert used.output_tokens <= use.least.output_tokens <= use.most.output_tokens
            assert use.simulated


@pytest.mark.parametrize("seconds", [None, 5.0])
async def test_what_a_simulated_expert_costs_is_never_booked_as_real_money(seconds: float | None):
    purse = OpenPurse(seconds=seconds)
    with contextlib.suppress(BackendError):
        await ask("answer-1", state_for(questions("heldout")[0]), purse)
    assert [charge.simulated for charge in purse.charges] == [True]


async def test_a_refused_reservation_books_nothing():
    purse = OpenPurse(tokens=10)
    with pytest.raises(BudgetError):
        await ask("answer-1", state_for(questions("heldout")[0]), purse)
    assert purse.charges == []


async def test_nothing_but_the_question_text_tells_an_expert_which_question_it_is():
    question = of_kind("specialist", 1)[0]
    named = state_for(question)
    for gold in ("another gold", None):
        task = named.task.model_copy(update={"answer": gold, "id": "x", "source": ""})
        assert await ask("answer-1", named._replace(task=task)) == await ask("answer-1", named)
    typo = question.text.replace("e", "ee", 1)
    assert "I do not know" in answer_in(await ask("answer-1", state_for(typo)))


@pytest.mark.parametrize("role", ["policy", "judge", ""])
async def test_a_role_that_is_not_simulated_is_refused_before_money_is_set_aside(role: str):
    purse = OpenPurse()
    request = request_for("answer-1", state_for("Why?"))._replace(role=role)
    with pytest.raises(BackendError, match="baseline policy"):
        await SimulatedExperts().complete(request, purse)
    assert purse.uses == []


async def test_a_model_without_a_chance_for_the_situation_says_where_to_add_it():
    request = request_for("answer-1", state_for(of_kind("maths", 1)[0]))
    model = request.model.model_copy(update={"skills": {}})
    with pytest.raises(BackendError, match=r"\[models\.gpt-5\.skills\]"):
        await SimulatedExperts().complete(request._replace(model=model), OpenPurse())


async def test_a_reply_is_streamed_where_somebody_listens():
    heard: list[str] = []
    request = request_for("search-1", state_for("Why?"))._replace(on_text=heard.append)
    reply = await SimulatedExperts().complete(request, OpenPurse())
    assert "".join(heard) == reply.text


async def test_the_boxed_form_is_chosen_by_the_prompt():
    state = state_for(questions("heldout")[0])
    request = request_for("answer-1", state)
    system = Message(role="system", content=r"Put it into \boxed{}.")
    boxed = request._replace(messages=(system, *request.messages))
    plain = await SimulatedExperts().complete(request, OpenPurse())
    other = await SimulatedExperts().complete(boxed, OpenPurse())
    assert "<answer>" in plain.text
    assert "\\boxed{" in other.text
    assert answer_in(plain) == answer_in(other)


_DIGEST = """
import asyncio, hashlib
from rehearsal_world import ask, state_for
from orchestra_app.rehearsal.questions import questions
async def main():
    aliases = ("search-3", "reasoner-3", "answer-3")
    replies = [await ask(alias, state_for(each)) for each in questions("train")[:30] for alias in aliases]
    print(hashlib.sha256(repr(replies).encode()).hexdigest())
asyncio.run(main())
"""


def test_every_process_draws_the_same_replies():
    folders = f"{Path(__file__).parent}:{Path.cwd()}"
    digests = {
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": folders},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
