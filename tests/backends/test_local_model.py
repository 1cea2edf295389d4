"""A model in this process: what it draws, what it says about it, and what holds a reply to the legal ones."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_app.backends.local import Generated, LocalModel
from orchestra_app.backends.local.generation import exact
from orchestra_app.backends.local.legal import legal_calls
from orchestra_app.backends.local.trie import tree
from orchestra_app.backends.reading import read_reply
from orchestra_app.core.errors import BackendError, ConfigError
from orchestra_app.core.message import Message, Offer, ToolCall
from tests.tiny_kinds import KINDS, tiny_kind
from tests.tiny_qwen3 import tiny_model

CHOICES = {"search": ["search-1", "search-2"], "answer": ["answer-1", "answer-math-1", "answer-2"]}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "A tool.",
            "parameters": {"type": "object", "properties": {"model": {"type": "string", "enum": aliases}}},
        },
    }
    for name, aliases in CHOICES.items()
]
OFFERED = [
    Offer(tool_schema=schema, choices=dict.fromkeys(aliases, 0.5))
    for schema, aliases in zip(TOOLS, CHOICES.values(), strict=True)
]


@pytest.fixture(scope="module")
def model() -> LocalModel:
    torch.set_num_threads(1)
    return tiny_model()


@pytest.fixture(scope="module", params=["full attention", *KINDS])
def any_model(request) -> LocalModel:
    torch.set_num_threads(1)
    return tiny_kind(request.param) if request.param in KINDS else tiny_model()


def conversation(text: str) -> list[Message]:
    return [Message(role="system", content="Be good."), Message(role="user", content=text)]


def prompts(model: LocalModel, count: int) -> list[list[int]]:
    return [
        model.prompt_ids(conversation("Problem: 6 * 7? " * (1 + 3 * n % 11)), TOOLS) for n in range(count)
    ]


def legal_texts(model: LocalModel) -> list[str]:
    calls = legal_calls(OFFERED)
    assert calls is not None
    return [model.spell(call) for call in calls]


def generate(model: LocalModel, asked: list[list[int]], **given) -> list[Generated]:
    count = len(asked)
    fields = {"most": [24] * count, "temperatures": [1.0] * count, "seeds": list(range(count))}
    return model.generate(asked, **{**fields, "legal": [None] * count, **given})


def plain_logprobs(model: LocalModel, prompt: list[int], ids: tuple[int, ...], heat: float) -> list[float]:
    """The log-probabilities of `ids` by one plain forward pass."""
    with torch.no_grad():
        logits = model.model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    chosen = torch.tensor(ids).unsqueeze(1)
    return (logits / heat).log_softmax(-1).gather(1, chosen).squeeze(1).tolist()


def mixed(model: LocalModel) -> dict[str, list]:
    """Settings of a batch in which free and held, greedy and drawn replies of many lengths meet."""
    texts = legal_texts(model)
    return {
        "most": [24, 64, 3, 64, 24, 64, 12],
        "temperatures": [1.0, 1.0, 0.7, 0.0, 0.0, 1.6, 1.3],
        "seeds": [5, 6, 7, 8, 9, 10, 11],
        "legal": [None, texts, None, texts[1:], None, texts[:1], None],
    }


def test_a_reply_does_not_depend_on_what_else_is_in_the_batch(any_model):
    asked, given = prompts(any_model, 7), mixed(any_model)
    together = generate(any_model, asked, **given)
    backwards = generate(any_model, asked[::-1], **{key: each[::-1] for key, each in given.items()})[::-1]
    for index, reply in enumerate(together):
        alone = generate(any_model, [asked[index]], **{key: [each[index]] for key, each in given.items()})[0]
        assert reply.ids == alone.ids == backwards[index].ids and reply.finish == alone.finish
        assert reply.logprobs == pytest.approx(alone.logprobs, abs=1e-4)


def test_log_probabilities_are_those_of_a_plain_forward_pass_at_the_temperature_of_the_draw(any_model):
    asked, given = prompts(any_model, 7), mixed(any_model)
    for prompt, heat, reply in zip(
        asked, given["temperatures"], generate(any_model, asked, **given), strict=True
    ):
        assert reply.logprobs == pytest.approx(
            plain_logprobs(any_model, prompt, reply.ids, heat or 1.0), abs=1e-4
        )


def test_a_greedy_reply_is_the_one_that_transformers_gives(model):
    asked = prompts(model, 5)
    ours = generate(model, asked, temperatures=[0.0] * 5)
    for prompt, reply in zip(asked, ours, strict=True):
        theirs = model.model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones((1, len(prompt)), dtype=torch.long),
            do_sample=False,
            max_new_tokens=24,
        )
        assert list(reply.ids) == theirs[0, len(prompt) :].tolist()


def test_draws_follow_the_probabilities(model):
    prompt, count = [7, 8, 9], 2_000
    replies = generate(model, [prompt] * count, most=[1] * count, seeds=list(range(count)))
    drawn = Counter(reply.ids[0] for reply in replies)
    with torch.no_grad():
        chances = model.model(torch.tensor([prompt])).logits[0, -1].softmax(-1).tolist()
    for token, chance in enumerate(chances):
        deviation = math.sqrt(count * chance * (1 - chance)) + 1
        assert abs(drawn[token] - count * chance) < 5 * deviation


def test_a_held_reply_is_always_a_call_on_offer_and_its_odds_are_the_renormalised_ones(model):
    prompt, texts = prompts(model, 1)[0], legal_texts(model)
    count = 200
    replies = generate(
        model, [prompt] * count, most=[64] * count, seeds=list(range(count)), legal=[texts] * count
    )
    assert {model.text(reply.ids) for reply in replies} <= set(texts)
    assert all(reply.finish == "stop" and reply.ids[-1] == model.end for reply in replies)
    odds = {model.text(reply.ids): math.exp(sum(reply.drawn)) for reply in replies}
    assert odds == pytest.approx({text: expected_odds(model, prompt, text, texts) for text in odds}, abs=1e-4)
    found = Counter(model.text(reply.ids) for reply in replies)
    for text, chance in odds.items():
        assert abs(found[text] - count * chance) < 5 * math.sqrt(count * chance * (1 - chance)) + 1


def test_the_tokens_that_a_reply_was_chosen_from_are_those_of_the_calls_on_offer(model):
    texts, widest = legal_texts(model), 0
    for text in texts:
        reply = (*model.encode(text), model.end)
        among = model.candidates(texts, reply)
        assert among is not None and all(token in each for token, each in zip(reply, among, strict=True))
        widest = max(widest, *map(len, among))
        assert model.candidates(texts, reply[:-1]) is None
        assert model.candidates([each for each in texts if each != text], reply) is None
    assert widest > 1


def test_equal_prompts_are_rendered_once_and_other_tools_are_not_mistaken_for_them(model):
    asked = conversation("Problem: 6 * 7?")
    first = model.prompt_ids(asked, TOOLS)
    first.append(0)
    assert (
        model.prompt_ids(asked, TOOLS) == first[:-1] == model.encode(model.render(asked, TOOLS, reply=True))
    )
    assert model.prompt_ids(asked, TOOLS[:1]) == model.encode(model.render(asked, TOOLS[:1], reply=True))


def expected_odds(model: LocalModel, prompt: list[int], text: str, texts: list[str]) -> float:
    """The chance of one legal text, token by token, by plain forward passes."""
    sequences = [[*model.encode(each), model.end] for each in texts]
    ids = [*model.encode(text), model.end]
    chance = 1.0
    for at, token in enumerate(ids):
        allowed = sorted({each[at] for each in sequences if each[:at] == ids[:at]})
        if len(allowed) > 1:
            with torch.no_grad():
                logits = model.model(torch.tensor([[*prompt, *ids[:at]]])).logits[0, -1]
            chance *= logits[allowed].softmax(-1)[allowed.index(token)].item()
    return chance


def test_a_single_legal_reply_is_given_without_a_choice(model):
    (reply,) = generate(model, prompts(model, 1), most=[64], legal=[legal_texts(model)[:1]])
    assert model.text(reply.ids) == legal_texts(model)[0] and set(reply.drawn) == {0.0}


def test_a_legal_reply_that_does_not_fit_is_left_out(model):
    texts = legal_texts(model)
    longest = max(texts, key=lambda text: len(model.encode(text)))
    most = len(model.encode(longest))
    for seed in range(20):
        (reply,) = generate(model, prompts(model, 1), most=[most], seeds=[seed], legal=[texts])
        assert len(reply.ids) <= most and model.text(reply.ids) in set(texts) - {longest}
    with pytest.raises(BackendError, match="raise max_output"):
        generate(model, prompts(model, 1), most=[5], legal=[texts])


def test_a_spelt_call_is_read_back_as_it_was(model):
    for call in legal_calls(OFFERED) or []:
        reply = read_reply({"message": {"content": model.spell(call)}})
        assert [(made.name, made.arguments) for made in reply.calls] == [(call.name, call.arguments)]
        assert reply.text == reply.reasoning == ""


def test_a_spelt_reply_continues_its_prompt_as_the_template_does(model):
    call = ToolCall(id="", name="search", arguments={"model": "search-1"})
    asked = conversation("Where?")
    whole = model.render([*asked, Message(role="assistant", content="", calls=(call,))], TOOLS)
    told = model.render(asked, TOOLS, reply=True) + model.spell(call) + "<|im_end|>\n"
    assert told == whole


def test_calls_with_arguments_of_their_own_are_not_held():
    wide = {"type": "function", "function": {"name": "search", "parameters": {"properties": {"query": {}}}}}
    assert legal_calls([*OFFERED, Offer(tool_schema=wide)]) is None
    assert legal_calls([]) is None


def test_a_dropped_reply_stops_and_the_others_do_not_change(model):
    asked = prompts(model, 3)
    whole = generate(model, asked)
    steps = Counter[int]()

    def watch(index: int, ids: list[int]) -> bool:
        steps[index] += 1
        return index != 1 or len(ids) < 4

    cut = model.generate(
        asked, most=[24] * 3, temperatures=[1.0] * 3, seeds=[0, 1, 2], legal=[None] * 3, watch=watch
    )
    assert (cut[0].ids, cut[2].ids) == (whole[0].ids, whole[2].ids)
    assert cut[1].ids == whole[1].ids[:4] and cut[1].finish == "length" and steps[1] == 4


def test_a_prompt_beyond_the_context_is_a_sentence():
    narrow = tiny_model(context=64)
    with pytest.raises(BackendError, match="reads and writes 64 at most"):
        generate(narrow, [list(range(70))])
    (reply,) = generate(narrow, [[5] * 60])
    assert len(reply.ids) <= 4


def test_damaged_weights_are_a_sentence_not_a_token():
    damaged = tiny_model()
    with torch.no_grad():
        damaged.model.model.norm.weight[0] = torch.nan
    with pytest.raises(BackendError, match="not numbers"):
        generate(damaged, [[5, 6, 7]])


def test_dropout_is_off_while_replies_are_made_and_training_goes_on(model):
    model.model.train()
    try:
        generate(model, prompts(model, 1))
        assert model.model.training
    finally:
        model.model.eval()


@pytest.mark.parametrize(
    ("template", "sentence"),
    [(None, "has no chat template"), ("{{ raise_exception('no system here') }}", "no system here")],
)
def test_a_missing_or_refusing_template_is_a_sentence(model, template, sentence):
    other = replace(
        model, tokenizer=type(model.tokenizer)(tokenizer_object=model.tokenizer.backend_tokenizer)
    )
    other.tokenizer.chat_template = template
    with pytest.raises(ConfigError, match=sentence):
        other.prompt_ids(conversation("?"))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=8))
def test_every_path_of_the_tree_is_one_of_its_sequences(sequences):
    ended = [[*sequence, 99] for sequence in sequences]
    root = tree(ended)
    paths: list[list[int]] = []
    open_paths = [([], root)]
    while open_paths:
        path, node = open_paths.pop()
        stretch, place = node.stretch()
        if not place.children:
            paths.append(path + stretch)
        open_paths += [([*path, *stretch, token], child) for token, child in place.children.items()]
    assert sorted(paths) == sorted({tuple(each): each for each in ended}.values())


@pytest.mark.parametrize(("device", "place"), [("cpu", "cpu"), ("cuda:1", "cuda:1"), ("mps:0", "cpu")])
def test_exact_figures_are_computed_where_the_device_has_them(device, place):
    # Apple's GPUs have no float64; nothing here runs on one.
    assert exact(torch.device(device)) == torch.device(place)
