"""Runs code that nobody has read: confined by Landlock and seccomp, in Deno and Pyodide, or not at all."""

from orchestra_app.sandbox.base import Sandbox
from orchestra_app.sandbox.ladder import open_sandbox, start_early

__all__ = ["Sandbox", "open_sandbox", "start_early"]
