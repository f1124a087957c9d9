"""The fakes keep the contracts of what they stand for."""

from __future__ import annotations

import pytest

from rollout.errors import Problem, Retry
from rollout.ports import Jobs
from tests.contracts.evidence import EvidenceContract, Seen
from tests.contracts.jobs import JobsContract
from tests.contracts.ledger import LedgerContract, StartingLedger
from tests.domain.scenes import EXPERIMENT, NOW_US, evidence
from tests.simulation.fakes import MemoryEvidence, MemoryJobs, MemoryLedger


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> StartingLedger:
        return MemoryLedger()


class TestMemoryJobs(JobsContract):
    @pytest.fixture
    def jobs(self) -> Jobs:
        return MemoryJobs()


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
