"""How soon a run is looked at again."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.controller.reconcile import Tick
from rollout.domain.experiment import Phase
from rollout.errors import Stop

_DOUBLINGS = 16
_URGENT = frozenset({Phase.PROMOTING, Phase.ROLLING_BACK})


@dataclass(frozen=True, slots=True)
class Pace:
    """Pauses between the ticks of one run, in seconds."""

    interval_s: float = 1.0
    shortest_s: float = 0.2
    """When evidence against a candidate has just come, instead of the interval."""
    longest_s: float = 10.0
    """After failures in a row, where no candidate is judged or nothing is known of the run; every one doubles
    the pause until then."""
    ended_s: float = 30.0
    """When nothing is decided any more: traffic is still kept as recorded."""
    stopped_s: float = 60.0
    """When a person has to act, and no candidate is judged."""
    jitter: float = 0.1
    """A pause is longer or shorter by up to this share, so that runs do not move in step."""

    def after(self, tick: Tick, failures: int) -> float:
        """Return the pause after a tick that was the nth failure in a row, or none of them."""
        if tick.was_overtaken and not failures:
            return 0.0
        if tick.is_judged or tick.experiment.phase in _URGENT:
            # Whatever does not work, and whoever has to mend it: a candidate with traffic may do harm now.
            return self.interval_s
        if any(isinstance(problem, Stop) for problem in tick.problems):
            return self.stopped_s
        if failures:
            return self.after_failures(failures)
        return self.ended_s if tick.has_ended else self.interval_s

    def shortest_after(self, pause_s: float) -> float:
        """Return to what evidence may shorten a pause: only the usual one, others have their reasons."""
        return self.shortest_s if pause_s <= self.interval_s else pause_s

    def after_failures(self, failures: int) -> float:
        """Return the pause after so many failures in a row."""
        return float(min(self.interval_s * 2.0 ** min(failures - 1, _DOUBLINGS), self.longest_s))

    def spread(self, pause_s: float, chance: float) -> float:
        """Return a pause with its jitter; `chance` is between 0 and 1."""
        return pause_s * (1.0 + self.jitter * (2.0 * chance - 1.0))
