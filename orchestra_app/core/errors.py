"""The one tree of errors; every message is a sentence that the person can act on.

OrchestraError
  ConfigError     a setting, catalogue or input that cannot be used
  BackendError    a model server that did not answer usefully; ends the rollout as `failed`
    ContextError  a prompt that the model's context does not hold; the final answer is taken without it
  ToolError       a tool that could not do its work; goes back to the policy
  BudgetError     a use that does not fit into the money or the time that is left
  StorageError    a database or a file that cannot be read or written
  TrainingError   a training job that cannot start or go on
"""


class OrchestraError(Exception):
    """Anything that is expected to go wrong and says what to do about it."""


class ConfigError(OrchestraError):
    """A setting, a catalogue or an input that cannot be used as it is."""


class BackendError(OrchestraError):
    """A model server that gave no usable reply; what the attempts cost stands in the purse all the same."""


class ContextError(BackendError):
    """A prompt that the model's context does not hold."""


class ToolError(OrchestraError):
    """A tool that could not do its work; the message goes back to the policy."""


class BudgetError(OrchestraError):
    """A use whose worst case does not fit; `needed` and `left` are USD where money was short, else None."""

    def __init__(self, message: str, *, needed: float | None = None, left: float | None = None):
        super().__init__(message)
        self.needed = needed
        self.left = left


class StorageError(OrchestraError):
    """A database or a file that cannot be read or written."""


class TrainingError(OrchestraError):
    """A training job that cannot start or go on."""
