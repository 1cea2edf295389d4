"""Very small models in numpy: the same replies as with transformers, without loading it."""

import json
import shutil
import subprocess
import sys

import pytest

from orchestra_app.backends.local import LocalModel
from orchestra_app.backends.local.legal import legal_calls
from orchestra_app.backends.local.places import ASSETS
from orchestra_app.backends.local.plain import load_plain
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.message import Message, Offer
from orchestra_app.rehearsal.questions import questions
from orchestra_app.training.tokenizer import schemas

CATALOG = load_catalog("rehearsal")
SCHEMAS = schemas(CATALOG)


@pytest.fixture(scope="module")
def both():
    found = load_plain("assets:policy")
    assert found is not None, "the shipped policy is very small"
    model, tokenizer = found
    return LocalModel(model, tokenizer, decode=model.decode), LocalModel.load("assets:policy")


def conversations() -> list[tuple]:
    texts = [question.text for question in questions("heldout")[:8]]
    texts += ["6乘以7等于多少？ 🎻", "", 'a "quoted" <tool_call> and \\n a tab\t', "a long story 7 " * 300]
    return [
        (
            (Message(role="system", content="You are."), Message(role="user", content=f"Problem: {text}")),
            SCHEMAS,
        )
        for text in texts
    ]


def calls() -> list:
    offers = [
        Offer(
            tool_schema=schema,
            choices=dict.fromkeys(CATALOG.tools[schema["function"]["name"]].choices, 0.5),
        )
        for schema in SCHEMAS
    ]
    found = legal_calls(tuple(offers))
    assert found is not None
    return found


def test_prompts_and_replies_are_spelt_as_by_transformers(both):
    plain, whole = both
    for each in conversations():
        assert plain.render(*each, reply=True) == whole.render(*each, reply=True)
        assert plain.prompt_ids(*each) == whole.prompt_ids(*each)
    assert [plain.spell(call) for call in calls()] == [whole.spell(call) for call in calls()]
    assert (plain.end, plain.stops, plain.context) == (whole.end, whole.stops, whole.context)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 0.4])
@pytest.mark.parametrize("held", [True, False])
def test_replies_and_their_log_probabilities_are_those_of_transformers(both, temperature, held):
    plain, whole = both
    # The long one takes most of the time, and reads the same at any temperature.
    prompts = [plain.prompt_ids(*each) for each in conversations()[: -1 if temperature else None]]
    options = {
        "most": [40] * len(prompts),
        "temperatures": [temperature] * len(prompts),
        "seeds": list(range(len(prompts))),
        "legal": [[plain.spell(call) for call in calls()] if held else None] * len(prompts),
    }
    for here, there in zip(
        plain.generate(prompts, **options), whole.generate(prompts, **options), strict=True
    ):
        assert (here.ids, here.finish) == (there.ids, there.finish)
        assert here.logprobs == pytest.approx(there.logprobs, abs=1e-4)
        assert here.drawn == pytest.approx(there.drawn, abs=1e-4)


def test_a_watched_reply_can_be_dropped(both):
    plain, _ = both
    prompt = plain.prompt_ids(*conversations()[0])
    (reply,) = plain.generate(
        [prompt], most=[30], temperatures=[1.0], seeds=[1], legal=[None], watch=lambda _, ids: len(ids) < 2
    )
    assert len(reply.ids) == 2 and reply.finish == "length"


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "llama"},
        {"dtype": "bfloat16"},
        {"attention_bias": True},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}},
        {"tie_word_embeddings": False},
        {"num_hidden_layers": 9},
    ],
)
def test_a_model_of_another_kind_is_left_to_transformers(tmp_path, change):
    folder = tmp_path / "model"
    shutil.copytree(ASSETS / "policy", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    assert load_plain(str(folder)) is None


def test_a_small_policy_replies_without_torch_and_transformers():
    code = (
        "import sys\n"
        "from orchestra_app.backends.local.options import local_backend\n"
        "from orchestra_app.catalogs import load_catalog\n"
        "model = local_backend('small-policy', load_catalog('rehearsal').models['small-policy'])._load()\n"
        "model.generate([[5, 6]], most=[3], temperatures=[0.0], seeds=[0], legal=[None])\n"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
