"""What the records say keeps the contract of every source of evidence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollout.controller.workers import Threads
from tests.contracts.evidence import EvidenceContract, Seen
from tests.intake.test_evidence import SECOND_US, Place, experiment, place
from tests.intake.test_slow_lake import NOW_US, Silent, silent
from tests.lake.histories import request_at
from tests.simulation.fakes import Inline

LATE_US = NOW_US + 10 * SECOND_US


def filed(here: Place) -> None:
    """File a few requests of both arms."""
    arms = ["candidate1", "control"] * 20
    here.file(
        [
            request_at(number * SECOND_US // 10, unit=f"user-{number}", route=f"ranker/{arm}/1")
            for number, arm in enumerate(arms)
        ]
    )
    here.filed_until(LATE_US)


class TestRecordedEvidence(EvidenceContract):
    @pytest.fixture
    def seen(self) -> Iterator[Seen]:
        run = experiment()
        with place(run, workers=Inline()) as here:
            filed(here)
            here.clock[0] = LATE_US
            yield Seen(here.source, run, LATE_US)

    @pytest.fixture
    def silent(self) -> Iterator[Seen]:
        run, lakes = experiment(), list[Silent]()
        with place(run, books_of=silent(lakes), workers=Threads()) as here:
            filed(here)
            here.clock[0] = LATE_US
            yield Seen(here.source, run, LATE_US)
            lakes[0].may_answer.set()
