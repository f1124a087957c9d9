"""From lines to evidence without a network: the real recorders hand segments straight to the real intake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollout.agent import converters
from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.log import Log
from rollout.agent.losses import Loss
from rollout.agent.recorder import Converter, Recorder, Stream
from rollout.agent.uplink import Uplink
from rollout.intake.evidence import RecordedEvidence
from rollout.intake.intake import Answer, Filed, Intake
from rollout.lake.accounts.books import Books
from rollout.lake.outcomes import Outcome, spooled
from rollout.lake.segments import Kind
from rollout.ports import EvidenceSource
from rollout.store.counts import Counts, Told
from rollout.store.database import Database
from tests.lake.histories import HASHING
from tests.pipeline.chain import NODE, Clock
from tests.simulation.fakes import Inline

Converting = Callable[[Converter], Converter]


class Straight(Uplink):
    """Hands segments to an intake of the same process."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def send(self, told: Told, body: bytes) -> Answer:
        """Have a segment filed and counted."""
        answer = self._intake.accept(told, body)
        assert isinstance(answer, Filed), answer
        return answer

    def tell_losses(self, node: str, losses: Sequence[Loss]) -> None:
        """Say what was lost, which is nothing."""
        assert not losses, (node, losses)


@dataclass(frozen=True)
class ShortChain:
    """One node, one intake and one lake over a folder; time is whatever the clock was set to."""

    clock: Clock
    lake: Path
    journal: Journal
    access_log: Path
    spool: Path
    recorders: tuple[Recorder, Recorder]
    evidence: EvidenceSource

    def take_in(self, lines: bytes, outcomes: Sequence[Outcome]) -> None:
        """Log requests and outcomes, and have them recorded, filed and counted."""
        with self.access_log.open("ab") as stream:
            stream.write(lines)
        with self.spool.open("ab") as stream:
            stream.write(spooled(outcomes))
        assert all(recorder.step() for recorder in self.recorders)


def as_it_is(converter: Converter) -> Converter:
    """Leave a recorder's converter alone; tests put a broken one in its place."""
    return converter


@contextmanager
def short_chain(folder: Path, *, begin_us: int, converting: Converting = as_it_is) -> Iterator[ShortChain]:
    """Yield a chain whose logs are empty."""
    clock = Clock(begin_us)
    journal, lake = folder / "node" / "splits.journal", folder / "lake"
    access, spool = folder / "envoy" / "access.log", folder / "spool" / "outcomes.log"
    with ExitStack() as held:
        database = Database.writer(folder / "control.db")
        held.callback(database.close)
        counts = Counts(database)
        uplink = Straight(Intake(lake, counts, now_us=clock.now))
        exposures = converting(converters.exposures(HASHING, SplitHistory(journal, now_us=clock.now)))
        streams = [
            Stream(kind, NODE, Log(log, reopen=lambda: None), convert, lambda: 0, journal.parent)
            for kind, log, convert in (
                (Kind.EXPOSURES, access, exposures),
                (Kind.OUTCOMES, spool, converters.outcomes()),
            )
        ]
        splits = Journal(journal)
        for log in (access, spool):
            log.touch()
        first, second = (Recorder(stream, uplink, now_us=clock.now) for stream in streams)
        evidence = RecordedEvidence(counts, Books(lake, cursors=counts.cursors, threads=1), workers=Inline())
        yield ShortChain(clock, lake, splits, access, spool, (first, second), evidence)
