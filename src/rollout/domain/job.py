"""An action as it is ordered, and what is known of it; whoever runs it keeps to these words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rollout.domain.experiment import JobState
from rollout.domain.policy import Action, LocalCommand

MESSAGE_CHARACTERS: Final = 500
OUTPUT_CHARACTERS: Final = 4_000
"""How much of what an action wrote last is told; whoever runs it may keep more."""


@dataclass(frozen=True, slots=True)
class Order:
    """An action under its name: the same order again finds what was begun, another one is refused."""

    name: str
    """Says which attempt of which run it is; never used twice."""
    uid: str
    """The run's: what bears this name and another label is not ours."""
    action: Action
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the action may know of the run that it is for."""

    @property
    def fingerprint(self) -> str:
        """What tells this order from another one of the same name: sha256 of the action and its variables."""
        match self.action:
            case LocalCommand():
                what: dict[str, object] = {"command": list(self.action.command)}
            case _:
                what = {"template": self.action.template, "parameters": dict(self.action.parameters)}
        content = what | {"deadline_s": self.action.deadline_s, "variables": dict(self.variables)}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class JobReport:
    """How an action that was begun stands, in its runner's words where it has any."""

    state: JobState
    message: str = ""
    """Why it is so, in a sentence."""
    progress: str | None = None
    """How much of it is done, such as `3/5`."""
    link: str | None = None
    """Where a person sees more of it."""
    begun_us: int | None = None
    """When it began, by its runner's clock."""
    output: str = ""
    """What it wrote last."""
