"""What a look is told equals the obvious recount of everything filed, and what is unknown is absent."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.evidence import ClosedFractions, Evidence, LimitEvidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import FALLBACK, Patience, judge
from rollout.domain.policy import Hold, Metric, Policy, Step
from rollout.domain.verdict import Finding, Judgement
from rollout.intake.evidence import RecordedEvidence
from rollout.lake.engine import connect
from rollout.lake.outcomes import write_outcomes
from rollout.lake.query import Kind, Lake
from rollout.stats.moments import JointMoments
from rollout.store.counts import LARGEST_TABLE, Told
from tests.domain.examples import POLICY
from tests.intake import recount
from tests.intake.house import LOG, NOW_US, House, hand_in, opened, told
from tests.lake import histories, oracle
from tests.lake.histories import BEGIN_US, CLOSING, LIMIT_US, OUTCOMES, REQUESTS, RUN, Request, request_at

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
PATIENCE = Patience(grace_us=CLOSING.grace_us)
STARTED_US = BEGIN_US - SECOND_US
MIDNIGHT_US = BEGIN_US + 12 * SECOND_US
COMPARED = ("control", "holdback", "rest")


def metric(name: str, kind: int, **changes: float) -> Metric:
    return replace(POLICY.metrics[kind], name=name, window_s=10.0, **changes)


RANKER = replace(
    POLICY,
    name=RUN.experiment,
    metrics=(metric("bought", 0), metric("errors", 1), metric("p99", 2)),
    steps=(Step(1_000, Hold()), Step(5_000, Hold())),
)


def experiment(policy: Policy = RANKER, *, started_us: int = STARTED_US, entered_us: int = 0) -> Experiment:
    entered = entered_us or started_us
    return Experiment("a1b2", policy, RUN.revision, Phase.RUNNING, 1, started_us, entered, started_us)


@dataclass(frozen=True)
class Place:
    """A house with its clock and the evidence that is read from it."""

    house: House
    clock: list[int]
    source: RecordedEvidence

    def file(self, requests: Sequence[Request], outcomes: Sequence[histories.Told] = ()) -> None:
        hand_in(self.house.intake, requests)
        if outcomes:
            path = self.house.folder / "outcomes.parquet"
            write_outcomes(connect(), histories.as_outcomes(outcomes), path)
            start = self.house.counts.cursor("app-1", LOG)
            self.house.intake.accept(
                Told(Kind.OUTCOMES, "app-1", LOG, start, start + 1, 0, 0), path.read_bytes()
            )

    def filed_until(self, watermark_us: int) -> None:
        """Both the proxy and the application say that everything before is filed."""
        for kind, node in ((Kind.EXPOSURES, "node-1"), (Kind.OUTCOMES, "app-1")):
            cursor = self.house.counts.cursor(node, LOG)
            self.house.intake.accept(Told(kind, node, LOG, cursor, cursor, watermark_us, 0), b"")

    def look(self, run: Experiment, at_us: int) -> Evidence:
        self.clock[0] = at_us
        return self.source.observe(run, at_us)


class Opened:
    """Opens a place over a new folder; its limits are known before the first request, as they are live."""

    def __init__(self, run: Experiment, *, rows: int = LARGEST_TABLE, patience: Patience = PATIENCE) -> None:
        self._run, self._rows, self._patience = run, rows, patience
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Place:
        clock = [NOW_US]
        folder = Path(self._folder.name)
        self._house = opened(folder, now_us=lambda: clock[0], rows=self._rows)
        house = self._house.__enter__()
        source = RecordedEvidence(house.counts, Lake(folder / "lake"), patience=self._patience)
        place = Place(house, clock, source)
        place.look(self._run, NOW_US)
        return place

    def __exit__(self, *_: object) -> None:
        self._house.__exit__(None, None, None)
        self._folder.cleanup()
