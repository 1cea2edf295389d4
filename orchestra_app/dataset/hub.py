"""Puts an exported folder on the Hugging Face Hub as a dataset."""

from pathlib import Path

from orchestra_app.backends.local.places import is_repository
from orchestra_app.config import key
from orchestra_app.core.errors import ConfigError, StorageError

TOKEN = "HF_TOKEN"


def check_target(name: str) -> str:
    """Return the token for a push to the dataset `user/name`; raises ConfigError where it cannot work."""
    if not is_repository(name):
        raise ConfigError(f"--push {name[:80]!r} is no dataset's name; write user/dataset.")
    token = key(TOKEN)
    if token is None:
        raise ConfigError(
            f"A push needs a token: set {TOKEN} to one with the right to write, "
            "made at https://huggingface.co/settings/tokens."
        )
    return token


def push(folder: Path, name: str, *, token: str, public: bool = False) -> str:
    """Upload a folder as the dataset `name`, made private unless `public`; return its address. Blocks.

    A dataset that is there keeps its visibility and gets one more commit. Raises StorageError.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi(token=token, library_name="orchestra")
    try:
        made = api.create_repo(name, repo_type="dataset", private=not public, exist_ok=True)
        api.upload_folder(
            repo_id=name, repo_type="dataset", folder_path=folder, commit_message="Traces of Orchestra"
        )
    except OfflineModeIsEnabled:
        raise StorageError("HF_HUB_OFFLINE is set; unset it to push.") from None
    except HfHubHTTPError as error:
        raise StorageError(refusal(error.response.status_code, name)) from None
    except (httpx2.HTTPError, OSError) as error:
        said = f"The Hugging Face Hub cannot be reached ({type(error).__name__}); try again later."
        raise StorageError(said) from None
    return str(made)


def refusal(status: int, name: str) -> str:
    """Return what the Hub's refusal with an HTTP status means for a push."""
    match status:
        case 401:
            return f"The Hugging Face Hub does not know this token; set {TOKEN} to a valid one."
        case 403 | 404:
            return f"This {TOKEN} has no right to write to {name}; take a token or a name that has."
        case 429:
            return "The Hugging Face Hub asks to wait; push again in a while."
    return f"The Hugging Face Hub refused the push with status {status}; push again later."
