"""Two sources as one: each fails for itself, and none hides what the other saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rollout.controller.sources import BothSources
from rollout.domain.basis import Query
from rollout.domain.decide import decide
from rollout.domain.decision import Reason
from rollout.domain.evidence import ArmEvidence, Poll, PollEvidence, nothing_known
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge
from rollout.domain.quality import EXPOSURES, POLLS, Feed, Quality
from rollout.errors import Problem, Retry
from rollout.ports import Observed
from tests.contracts.evidence import EvidenceContract, Seen, plain
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US, evidence
from tests.prometheus.runs import METRIC
from tests.simulation.fakes import MemoryEvidence

POLLING = replace(POLICY, metrics=(*POLICY.metrics, METRIC))
RUN = replace(EXPERIMENT, policy=POLLING)
OUTAGE = Retry(Problem("Prometheus", "does not answer", "ask again"))


def polled(*polls: Poll) -> MemoryEvidence:
    """Return a source that knows polls only."""
    found = MemoryEvidence()
    own = ArmEvidence(polls={METRIC.name: PollEvidence(np.array(polls, dtype=np.int64), 0.95)})
    found.tell(RUN.uid, replace(nothing_known(POLLING), arms=(own,)))
    return found


def recorded() -> MemoryEvidence:
    found = MemoryEvidence()
    found.tell(RUN.uid, evidence())
    return found


def failing(error: Exception = OUTAGE) -> MemoryEvidence:
    found = MemoryEvidence()
    found.failure = error
    return found


class OfItsOwnTime(MemoryEvidence):
    """Knows nothing of a run that began just now."""

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        if experiment.started_us == now_us:
            return Observed(nothing_known(experiment.policy))
        return super().observe(experiment, now_us)


class TestBothSources(EvidenceContract):
    @pytest.fixture
    def seen(self) -> Seen:
        return Seen(BothSources(recorded(), polled(Poll.GOOD)), RUN, NOW_US)

    @pytest.fixture
    def silent(self) -> Seen:
        return Seen(BothSources(failing(), failing()), RUN, NOW_US)


def test_what_each_knows_is_there_and_marks_are_the_records_own() -> None:
    found = BothSources(recorded(), polled(Poll.GOOD)).observe(RUN, NOW_US)
    assert found.problems == ()
    without = replace(found.evidence, arms=evidence().arms)
    assert plain(without) == plain(evidence())
    (arm,) = found.evidence.arms
    assert set(arm.polls) == {METRIC.name}
    assert plain(replace(arm, polls={})) == plain(evidence().arms[0])


def test_feeds_and_queries_of_both_are_kept() -> None:
    own, other = (Feed(name, kind, NOW_US, NOW_US) for name, kind in (("n1", EXPOSURES), ("gpus", POLLS)))
    query = Query(METRIC.name, 1, 'gpu{version="2.0.0"}', 1, 2, 30_000)

    class Asked(MemoryEvidence):
        def observe(self, experiment: Experiment, now_us: int) -> Observed:
            seen = super().observe(experiment, now_us).evidence
            return Observed(replace(seen, quality=Quality(feeds=(other,))), queries=(query,))

    records = MemoryEvidence()
    records.tell(RUN.uid, replace(evidence(), quality=Quality(feeds=(own,))))
    found = BothSources(records, Asked()).observe(RUN, NOW_US)
    assert found.evidence.quality.feeds == (own, other)
    assert found.queries == (query,)


@pytest.mark.parametrize("error", [OUTAGE, ZeroDivisionError("a defect")])
def test_a_server_that_fails_leaves_the_records_as_they_are(error: Exception) -> None:
    found = BothSources(recorded(), failing(error)).observe(RUN, NOW_US)
    assert found.problems == (error,)
    assert plain(found.evidence) == plain(evidence())


@pytest.mark.parametrize("error", [OUTAGE, ZeroDivisionError("a defect")])
def test_records_that_fail_do_not_hide_what_was_polled(error: Exception) -> None:
    found = BothSources(failing(error), polled(*[Poll.BREACH] * 3)).observe(RUN, NOW_US)
    assert found.problems == (error,)
    assert found.evidence.watermark_us is None
    judgement = judge(RUN, found.evidence, NOW_US, Patience())
    assert not judgement.evidence_is_fresh
    assert decide(RUN, judgement, None, NOW_US).reason is Reason.LIMIT_VIOLATED


def test_when_nothing_can_be_asked_both_are_told_of() -> None:
    other = Retry(Problem("the lake", "does not answer", "ask again"))
    found = BothSources(failing(other), failing()).observe(RUN, NOW_US)
    assert found.problems == (other, OUTAGE)
    assert plain(found.evidence) == plain(nothing_known(POLLING))
