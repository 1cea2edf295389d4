"""Loading a model from a folder: what is wrong with it, or with the options, is a sentence."""

import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
import torch

from orchestra_app.backends.local import LocalModel, loading
from orchestra_app.backends.local.loading import enough_memory
from orchestra_app.backends.local.options import local_backend, obstacle_to, options_of
from orchestra_app.backends.local.places import ASSETS, here, located
from orchestra_app.backends.reach import obstacle
from orchestra_app.backends.tokens import ExactTokens, counter
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import BackendError, ConfigError, OrchestraError
from orchestra_app.core.message import Message
from tests.tiny_qwen3 import save, tiny_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return save(tiny_model(), tmp_path_factory.mktemp("saved"))


@pytest.fixture
def copied(saved, tmp_path) -> Path:
    return Path(copytree(saved, tmp_path / "model"))


def test_a_saved_model_is_loaded_as_it_was(saved):
    loaded, made = LocalModel.load(str(saved), device="cpu"), tiny_model()
    prompt = made.prompt_ids([Message(role="user", content="Where?")])
    assert loaded.prompt_ids([Message(role="user", content="Where?")]) == prompt
    fields = {"most": [12], "temperatures": [1.0], "seeds": [1], "legal": [None]}
    assert loaded.generate([prompt], **fields)[0].ids == made.generate([prompt], **fields)[0].ids
    assert loaded.model.dtype == torch.float32 and loaded.model.training is False


def test_the_dtype_is_the_one_that_is_asked_for(saved):
    assert LocalModel.load(str(saved), device="cpu", dtype="bfloat16").model.dtype == torch.bfloat16


def cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000])


def garbage(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 4_000)


def other_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))


def unknown_kind(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "nobody-knows-it"}')


DAMAGE = {
    "weights cut short": (cut_short, "copy them anew"),
    "weights that are garbage": (garbage, "copy them anew"),
    "weights of another shape": (other_shape, "copy them anew"),
    "a config of an unknown kind": (unknown_kind, "copy them anew"),
    "a config that is no JSON": (lambda f: (f / "config.json").write_text("{"), "config.json cannot be read"),
    "a config that names nothing": (lambda f: (f / "config.json").write_text("[]"), "names no model_type"),
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
    "a tokenizer that is no JSON": (lambda f: (f / "tokenizer.json").write_text("{"), "copy them anew"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_a_sentence(copied, damage):
    spoil, sentence = DAMAGE[damage]
    spoil(copied)
    with pytest.raises(OrchestraError, match=sentence) as caught:
        LocalModel.load(str(copied), device="cpu")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "abacus"}, "no device 'abacus'"),
        ({"device": "cuda:77"}, "no GPU 'cuda:77'"),
        ({"dtype": "int8"}, "no dtype 'int8'"),
        ({"dtype": "nn"}, "no dtype 'nn'"),
        ({"quantize": "4bit", "device": "cpu"}, "bitsandbytes|need a GPU"),
    ],
)
def test_an_option_that_cannot_be_is_a_sentence(saved, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        LocalModel.load(str(saved), **options)


@pytest.mark.parametrize(("device", "cudnn"), [("cpu", True), ("cuda", False)])
def test_attention_on_a_gpu_keeps_off_plans_for_each_length(saved, monkeypatch, device, cudnn):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(loading, "_loaded", lambda *_: (None, None))
    torch.backends.cuda.enable_cudnn_sdp(True)
    loading.load(str(saved), device=device, dtype="auto", quantize=None)
    assert torch.backends.cuda.cudnn_sdp_enabled() is cudnn


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("/no/such/folder", "There is no folder"),
        ("../beside", "There is no folder"),
        ("assets:no-such-model", "is missing"),
        ("assets:../tests", "does not lie in the assets folder"),
        ("", "There is no folder"),
        ("a\x00b", "There is no folder"),
    ],
)
def test_a_place_that_is_none_is_a_sentence(place, sentence):
    with pytest.raises(ConfigError, match=sentence):
        located(place)
    assert here(place)


def test_a_model_that_was_never_fetched_says_how_to_fetch_it():
    # The tests run without the hub, as a computer without a network does.
    with pytest.raises(BackendError, match="check the name and the network"):
        LocalModel.load("nobody/no-such-model", device="cpu")
    reason = obstacle_to("it", Model(backend="local", id="nobody/no-such-model"))
    assert reason is not None and "hf download nobody/no-such-model" in reason


def test_assets_are_found_by_their_name():
    assert located("assets:fonts") == ASSETS / "fonts"


async def test_an_obstacle_names_what_is_missing_and_loads_nothing(saved):
    assert await obstacle("it", Model(backend="local", id=str(saved)), lambda _: None) is None
    wrong = Model(backend="local", id=str(saved), options={"devise": "cpu"})
    assert "'devise' of it" in str(await obstacle("it", wrong, lambda _: None))
    gone = Model(backend="local", id="/no/where")
    assert "give the folder of a model" in str(await obstacle("it", gone, lambda _: None))


@pytest.mark.parametrize(
    "options", [{"quantize": "2bit"}, {"constrained": "perhaps"}, {"batch": 0}, {"seed": 1}, {"template": 3}]
)
def test_unknown_options_are_refused_by_name(options):
    with pytest.raises(ConfigError, match=f"'{next(iter(options))}' of it .* a local model takes device"):
        options_of("it", Model(backend="local", options=options))


def test_prompts_are_counted_with_the_models_own_tokenizer(saved):
    counted = counter(Model(backend="local", id=str(saved)))
    assert isinstance(counted, ExactTokens)
    assert counted.count("Choose an appropriate tool.") == len(
        tiny_model().encode("Choose an appropriate tool.")
    )
    assert not isinstance(counter(Model(backend="local", id="nobody/nothing")), ExactTokens)


def test_making_a_backend_loads_no_library(saved):
    code = (
        "import sys; from orchestra_app.core.catalog import Model; import orchestra_app.wiring\n"
        "from orchestra_app.backends.local.options import local_backend, obstacle_to\n"
        f"model = Model(backend='local', id={str(saved)!r})\n"
        "local_backend('it', model); assert obstacle_to('it', model) is None\n"
        "print(sorted({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert local_backend("it", Model(backend="local", id=str(saved)))


def test_memory_that_runs_out_names_the_setting_of_a_model_and_of_a_training_job():
    told = "lower batch in the model's options \\(rollouts_at_once in a training job\\)"
    with pytest.raises(BackendError, match=told), enough_memory("tiny", 8):
        raise MemoryError
    with pytest.raises(RuntimeError, match="a bug"), enough_memory("tiny", 8):
        raise RuntimeError("a bug")
