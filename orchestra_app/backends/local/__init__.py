"""Language models in this process, through transformers, which is loaded only when a model is."""

from orchestra_app.backends.local.backend import LocalBackend
from orchestra_app.backends.local.model import Generated, LocalModel

__all__ = ["Generated", "LocalBackend", "LocalModel"]
