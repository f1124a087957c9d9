"""What the controller needs of the world, in as few words as possible; floor 3 and 4 fill these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rollout.domain.assignment import Placement
from rollout.domain.basis import Basis, Query
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.job import JobReport, Order
from rollout.domain.news import Letter
from rollout.errors import Problem


@dataclass(frozen=True, slots=True)
class Standing:
    """A run as the ledger holds it: its state, how often that was recorded, and the newest entry."""

    experiment: Experiment
    version: int
    last: Entry | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A run whose route is served and whose state cannot be read: nothing of it may be derived."""

    uid: str
    name: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known at a look, and what kept parts of it from being asked."""

    evidence: Evidence
    problems: tuple[Exception, ...] = ()
    queries: tuple[Query, ...] = ()
    """What a metrics server was asked, as it was asked."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a wanted split: live everywhere, or refused with the proxy's own words."""

    is_live: bool
    refusal: str | None = None
    live: frozenset[str] = frozenset()
    """When not all is live, the policies that are all the same, everywhere."""

    def confirms(self, name: str) -> bool:
        """Return whether one policy's split is live everywhere."""
        return self.is_live or name in self.live


class EvidenceSource(Protocol):
    """Where readings come from."""

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        """Return everything known at this look; raise `Retry` when nothing at all can be asked."""


class Traffic(Protocol):
    """Where splits go to."""

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        """Make all proxies follow these splits; say within seconds whether they do. It may be repeated.

        What they serve of the policies named in `kept` stays as it is, and any other route goes.
        """


class Jobs(Protocol):
    """Where actions run; an order is begun at most once, whoever crashes or asks twice.

    What bears its name and is not this order, by the run's label or by its arguments, is never taken for it:
    that is a `Stop` which names both. Where no answer comes it is a `Retry`, and asking again is harmless.
    """

    def start(self, order: Order) -> None:
        """Begin an order, unless it was begun before."""

    def report(self, order: Order) -> JobReport | None:
        """Return how an order stands, or None when it was never begun."""

    def stop(self, order: Order) -> None:
        """Have what was begun under the order's name for its run end within a minute, by force if need be.

        What was not begun before is never begun afterwards: whoever decided to begin it may have been held
        up, and must find that it is too late. It stands then as one that failed.
        """


class Ledger(Protocol):
    """Where state is recorded; a decision and the state it leads to are one transaction."""

    def served(self) -> tuple[Standing | Unread, ...]:
        """Return every run whose route is still served, in the order in which they were started."""

    def run(self, uid: str) -> Standing | None:
        """Return one run while its route is served; raise `Stop` when its state cannot be read."""

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        """Record state, and an entry when one is due with what it rests on, if the run still stands as seen.

        Return whether it did.
        """


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of sending a letter: taken, or why not, in words that hold no secret."""

    is_taken: bool
    why: str | None = None
    retry_after_s: float | None = None
    """How long the receiver asks to be left alone, where it says so."""


class Notifier(Protocol):
    """How people and programs are told; who they are, and where, only the settings say."""

    def names(self) -> frozenset[str]:
        """Return every receiver that can be told now."""

    def send(self, receiver: str, letter: Letter) -> Delivered:
        """Send a letter once, in bounded time; whatever goes wrong is said, never raised."""

    def stop(self) -> None:
        """End what is on its way now, which counts as not taken, and send nothing more."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A letter that is to be sent now, by whoever claimed it; until it is settled its content stays."""

    receiver: str
    letter: Letter
    holder: str
    tries: int
    """How often it was tried before."""


class Outbox(Protocol):
    """What is still to be told; messages come into it with what they tell of, in one transaction."""

    def claim(self, holder: str, now_us: int) -> Parcel | None:
        """Return a letter that is due and that nobody else sends at present, or None."""

    def settle(self, parcel: Parcel, delivered: Delivered, now_us: int, *, chance: float) -> None:
        """Note what came of a letter: it was sent, is tried again later, or is given up."""

    def tidy(self, now_us: int) -> None:
        """Give up what waited too long, and forget what is old."""
