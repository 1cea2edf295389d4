"""Loading a model and its tokenizer; everything that goes wrong becomes a sentence."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from orchestra_app.backends.local.places import located, missing_packages
from orchestra_app.core.errors import BackendError, ConfigError

ADAPTER = "adapter_config.json"
WEIGHTS = ("*.safetensors", "*.bin", "*.safetensors.index.json", "*.bin.index.json")


def load(place: str, *, device: str, dtype: str, quantize: Literal["8bit", "4bit"] | None) -> tuple[Any, Any]:
    """Return the model, ready to evaluate, and its tokenizer; see `LocalModel.load`."""
    missing_packages(quantize)
    found = located(place)
    if isinstance(found, Path):
        _complete(found)
    where = _device(device)
    if quantize and where == "cpu":
        raise ConfigError(
            f"{quantize} weights need a GPU: leave quantize out of the model's options, or choose a smaller "
            "model for this computer."
        )
    if where.startswith("cuda"):
        _steady_attention()
    options: dict[str, Any] = {"dtype": _dtype(dtype, where), "device_map": None}
    if quantize:
        options |= {"quantization_config": _quantized(quantize), "device_map": {"": where}}
    return _loaded(place, found, options, where)


def _steady_attention() -> None:
    """Keep attention off cuDNN, which plans anew for every length of a prompt, reply or batch.

    A plan takes up to a second, and GPU memory that torch does not count. PyTorch prefers cuDNN on Hopper
    from 2.11 on; with padding its gradients are no numbers there for some lengths (PyTorch issue 196678).
    """
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)


def _loaded(place: str, found: Path | str, options: dict[str, Any], where: str) -> tuple[Any, Any]:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # What libraries remark on their own insides is nothing that the person can act on.
            warnings.simplefilter("ignore")
            tokenizer = AutoTokenizer.from_pretrained(found, padding_side="left", trust_remote_code=False)
            model: Any
            if isinstance(found, Path) and (found / ADAPTER).is_file():
                model = _with_adapter(found, options, where)
            else:
                model = AutoModelForCausalLM.from_pretrained(found, trust_remote_code=False, **options)
            if "quantization_config" not in options:
                model = model.to(where)
    except SafetensorError as error:
        raise BackendError(_damaged(place, str(error))) from error
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled) as error:
        raise BackendError(_unreachable(place)) from error
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        if isinstance(found, str):
            raise BackendError(_unreachable(place, str(error))) from error
        raise BackendError(_damaged(place, str(error))) from error
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise BackendError(
                f"{place} does not fit into the memory of {where}: load it with dtype = 'bfloat16' or "
                "quantize = '4bit', or choose a smaller model."
            ) from error
        raise BackendError(_damaged(place, str(error))) from error
    return model.eval(), tokenizer


def _with_adapter(folder: Path, options: dict[str, Any], where: str) -> Any:
    """Return the model that an adapter was trained on, with what the adapter learned in its weights."""
    from peft import PeftModel

    base = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
    model, _ = _loaded(base, located(base), options, where)
    adapted: Any = PeftModel.from_pretrained(model, folder)
    if "quantization_config" in options:
        return adapted
    # The adapter froze what it stands on; in the merged model every weight may be trained.
    merged = adapted.merge_and_unload().requires_grad_(True)
    # A further adapter stands on this one, not on what this one stood on.
    merged.name_or_path = merged.config.name_or_path = str(folder)
    return merged


def _complete(folder: Path) -> None:
    """Raise where a folder lacks what a model is made of."""
    config = folder / "config.json"
    if not config.is_file():
        raise ConfigError(
            f"{folder} holds no config.json, so it is no model: give the folder of a Hugging Face model."
        )
    try:
        described = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackendError(_damaged(str(folder), "config.json cannot be read")) from error
    if not isinstance(described, dict) or "model_type" not in described:
        raise BackendError(_damaged(str(folder), "config.json names no model_type"))
    if not any(next(folder.glob(pattern), None) for pattern in WEIGHTS):
        raise ConfigError(f"{folder} holds no weights (*.safetensors): copy the whole model there.")


def _damaged(place: str, reason: str) -> str:
    first = reason.strip().partition("\n")[0][:200]
    return (
        f"The model in {place} cannot be loaded ({first}): its files are damaged or incomplete, "
        "copy them anew."
    )


def _unreachable(place: str, reason: str = "") -> str:
    first = f" ({reason.strip().partition(chr(10))[0][:200]})" if reason else ""
    return (
        f"{place} could not be fetched from the Hugging Face Hub{first}: check the name and the network, set "
        "HF_TOKEN where the model is gated, or give the path of a folder."
    )


def _device(wanted: str) -> str:
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        kind = torch.device(wanted)
    except RuntimeError as error:
        known = "auto, cpu, cuda, cuda:1 or mps"
        raise ConfigError(f"There is no device {wanted[:40]!r}; write {known}.") from error
    if kind.type == "cuda" and (kind.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"There is no GPU {wanted!r} here; write device = 'auto' or 'cpu'.")
    if kind.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("There is no Apple GPU here; write device = 'auto' or 'cpu'.")
    return wanted


def _dtype(wanted: str, where: str) -> Any:
    import torch

    if wanted == "auto":
        return torch.float32 if where == "cpu" else "auto"
    found = getattr(torch, wanted, None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ConfigError(f"There is no dtype {wanted[:40]!r}; write auto, float32, bfloat16 or float16.")
    return found


def _quantized(quantize: Literal["8bit", "4bit"]) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if quantize == "8bit":
        # It tells at every layer of every token that it computes in float16.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device's memory or this computer's is used up."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(said in text for said in ("can't allocate memory", "out of memory", "alloc_failed"))


@contextmanager
def enough_memory(name: str, rows: int) -> Iterator[None]:
    """Turn running out of memory into a sentence."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise BackendError(
            f"The memory does not hold {rows} replies of {name} at once: lower batch in the model's options "
            "(rollouts_at_once in a training job), shorten its context, or load it with quantize = '4bit'."
        ) from error
