"""The fakes keep the contracts of what they stand for."""

from __future__ import annotations

import random
from itertools import count
from pathlib import Path

import pytest

from rollout.errors import Problem, Retry
from rollout.ports import Jobs
from tests.contracts.evidence import EvidenceContract, Seen
from tests.contracts.jobs import JobsContract
from tests.contracts.ledger import LedgerContract, StartingLedger
from tests.domain.scenes import EXPERIMENT, NOW_US, evidence
from tests.simulation.actions import SimulatedJobs
from tests.simulation.fakes import MemoryEvidence, MemoryJobs, MemoryLedger
from tests.simulation.faults import OFTENEST, Faults
from tests.simulation.machine import Place, UncertainEvidence
from tests.simulation.story import Story
from tests.simulation.timeline import Timeline
from tests.simulation.truth import Fate, Plot, Truth


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> StartingLedger:
        return MemoryLedger()


class TestMemoryJobs(JobsContract):
    @pytest.fixture
    def jobs(self) -> Jobs:
        return MemoryJobs()

    def another(self, jobs: Jobs, folder: Path) -> Jobs:
        del folder
        return jobs  # what it holds is the world's, not a controller's

    def beginnings(self, jobs: Jobs, folder: Path) -> int:
        del folder
        assert isinstance(jobs, MemoryJobs)
        return len(jobs.begun)


class TestMemoryEvidence(EvidenceContract):
    @pytest.fixture
    def seen(self) -> Seen:
        fake = MemoryEvidence()
        fake.tell(EXPERIMENT.uid, evidence())
        return Seen(fake, EXPERIMENT, NOW_US)

    @pytest.fixture
    def silent(self) -> Seen:
        fake = MemoryEvidence()
        fake.failure = Retry(Problem("the lake", "does not answer", "ask again"))
        return Seen(fake, EXPERIMENT, NOW_US)


def calm() -> Faults:
    """Return no faults at all."""
    return Faults.drawn(random.Random(0), without=OFTENEST)  # noqa: S311 (nothing is drawn of it)


class TestSimulatedJobs(JobsContract):
    @pytest.fixture
    def jobs(self) -> Jobs:
        seconds = count()
        return SimulatedJobs(calm(), lambda: next(seconds) / 10)

    def another(self, jobs: Jobs, folder: Path) -> Jobs:
        del folder
        return jobs  # what it holds is the world's, not a controller's

    def beginnings(self, jobs: Jobs, folder: Path) -> int:
        del folder
        assert isinstance(jobs, SimulatedJobs)
        return len(jobs.jobs)


class TestSimulatedEvidence(EvidenceContract):
    def seen_by(self, faults: Faults) -> Seen:
        fates: dict[tuple[str, int], tuple[Fate, ...]] = {
            (EXPERIMENT.uid, EXPERIMENT.revision): (Fate(Plot.BETTER, 0.0),)
        }
        truth = Truth(faults.chance, fates, is_drawn=False)
        timeline = Timeline()
        place = Place("it", faults, timeline, Story(lambda: timeline.now_s))
        source = UncertainEvidence(place, truth, lambda _uid, _look: None)
        return Seen(source, EXPERIMENT, NOW_US)

    @pytest.fixture
    def seen(self) -> Seen:
        return self.seen_by(calm())

    @pytest.fixture
    def silent(self) -> Seen:
        faults = calm()
        return self.seen_by(Faults(faults.chance, {**faults.shares, "evidence away": 1.0}))
