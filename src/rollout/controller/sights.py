"""The newest look at each run, kept whole for whoever asks: asking takes nothing from the loop."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.verdict import Judgement

LARGEST: Final = 5_000
"""How many runs are remembered; the one looked at longest ago is given up first."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look saw of a run as it stood then, and what was made of it."""

    at_us: int
    experiment: Experiment
    evidence: Evidence
    judgement: Judgement


class Sights:
    """Holds one sight of each run; written by ticks, read by anybody."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._newest: dict[str, Sight] = {}

    def note(self, sight: Sight) -> None:
        """Keep a run's newest look."""
        with self._turn:
            self._newest.pop(sight.experiment.uid, None)
            self._newest[sight.experiment.uid] = sight
            if len(self._newest) > LARGEST:
                del self._newest[next(iter(self._newest))]

    def of(self, experiment: Experiment) -> Sight | None:
        """Return the newest look at this revision of a run, or None before the first."""
        with self._turn:
            found = self._newest.get(experiment.uid)
        return found if found is not None and found.experiment.revision == experiment.revision else None
