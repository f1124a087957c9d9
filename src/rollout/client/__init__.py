"""The typed HTTP client of the control plane: what the command, the agent and applications talk through.

Applications need what is named here, and nothing else of this package.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.client.assigning import Assignment, assignment
    from rollout.client.recorder import OutcomeRecorder, Pace

__all__ = ["Assignment", "OutcomeRecorder", "Pace", "assignment"]

_HOMES = {
    "Assignment": "rollout.client.assigning",
    "OutcomeRecorder": "rollout.client.recorder",
    "Pace": "rollout.client.recorder",
    "assignment": "rollout.client.assigning",
}


def __getattr__(name: str) -> object:
    """Import what applications use when they ask for it: the command's verbs have no need of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 (the same)

    return getattr(import_module(_HOMES[name]), name)
