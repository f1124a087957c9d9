"""The fakes keep the contracts of what they stand for."""

from __future__ import annotations

import pytest

from rollout.ports import Jobs
from tests.contracts.jobs import JobsContract
from tests.contracts.ledger import LedgerContract, StartingLedger
from tests.simulation.fakes import MemoryJobs, MemoryLedger


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> StartingLedger:
        return MemoryLedger()


class TestMemoryJobs(JobsContract):
    @pytest.fixture
    def jobs(self) -> Jobs:
        return MemoryJobs()
