"""The launchers that this installation has."""

from collections.abc import Callable, Mapping

from orchestra_app.training.hub import HubApi, HubLauncher
from orchestra_app.training.launch import Launcher, ProcessLauncher
from orchestra_app.training.ray import RayLauncher


def launchers(environment: Mapping[str, str], token: Callable[[], str | None]) -> dict[str, Launcher]:
    """Return every launcher by name; `environment` is what a process on this machine needs besides ours.

    token: gives the Hugging Face token that remote jobs are paid with.
    """
    return {
        "process": ProcessLauncher(environment),
        "hub": HubLauncher(_connect, token),
        "ray": RayLauncher(),
    }


def _connect(token: str) -> HubApi:
    # Loaded only where a job is sent there.
    from huggingface_hub import HfApi

    return HfApi(token=token)  # pyright: ignore[reportReturnType]
