"""Pushes a checkpoint to the Hugging Face Hub as a private model."""

from pathlib import Path

from orchestra_app.backends.local.places import is_repository
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.job import Checkpoint
from orchestra_app.training.hub import brief


def publish(checkpoint: Checkpoint, to: str, token: str | None) -> str:
    """Upload a checkpoint's folder to the model `to` and return its address; raises ConfigError."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    if not is_repository(to.strip()):
        raise ConfigError("Name the model as user/name, such as ann/my-policy.")
    if not token:
        raise ConfigError("Set HF_TOKEN to a token that may write, then push again.")
    if not Path(checkpoint.path).is_dir():
        raise ConfigError(f"The files of {checkpoint.name} are gone: train it anew.")
    api = HfApi(token=token)
    try:
        api.create_repo(to.strip(), repo_type="model", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=to.strip(), repo_type="model", folder_path=checkpoint.path, ignore_patterns=["resume.pt"]
        )
    except (HTTPError, OSError) as error:
        raise ConfigError(
            f"The Hub did not take {to.strip()} ({brief(error)}): check that HF_TOKEN may write there."
        ) from None
    return f"{api.endpoint}/{to.strip()}"
