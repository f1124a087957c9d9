"""What every source of evidence keeps to, the real ones, both together and the fakes alike."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np
import pytest

from rollout.domain.evidence import ArmEvidence, nothing_known
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge
from rollout.domain.policy import Version
from rollout.domain.verdict import Finding
from rollout.errors import Retry
from rollout.ports import EvidenceSource, Observed

BY_NAME = ("binary", "means", "errors", "limits", "latencies", "polls")
PATIENCE = Patience()
NOT_GOOD = {Finding.UNCLEAR, Finding.MISSING}


@dataclass(frozen=True)
class Seen:
    """A source, a run of which it knows something, and when that is looked at."""

    source: EvidenceSource
    run: Experiment
    now_us: int

    def look(self, **changes: object) -> Observed:
        return self.source.observe(replace(self.run, **changes), self.now_us)  # type: ignore[arg-type]


def measured(found: Observed) -> list[set[str]]:
    """Return the metrics of which anything is known, for each candidate; all gaps is nothing."""
    return [{name for kind in BY_NAME for name in _known(arm, kind)} for arm in found.evidence.arms]


def _known(arm: ArmEvidence, kind: str) -> list[str]:
    found = getattr(arm, kind)
    return [name for name, one in found.items() if kind != "polls" or np.any(np.asarray(one.polls) != 0)]


def plain(value: object) -> object:
    """Return a value that can be compared, whatever arrays are in it."""
    if is_dataclass(value):
        return [(field.name, plain(getattr(value, field.name))) for field in fields(value)]
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value) if isinstance(value, Exception) else value


class EvidenceContract:
    """Subclasses give a source that knows something, and one whose outside never answers."""

    @pytest.fixture
    def seen(self) -> Seen:
        raise NotImplementedError

    @pytest.fixture
    def silent(self) -> Seen:
        """Return the same, of which nothing can be asked: it hangs until the test is over, or fails."""
        raise NotImplementedError

    def test_what_was_measured_is_there_for_every_candidate(self, seen: Seen) -> None:
        found = seen.look()
        assert len(found.evidence.arms) == len(seen.run.policy.candidates)
        assert all(measured(found))
        assert found.problems == ()

    def test_the_same_state_gives_the_same_answer(self, seen: Seen) -> None:
        assert plain(seen.look().evidence) == plain(seen.look().evidence)

    def test_evidence_is_of_the_policys_own_metrics(self, seen: Seen) -> None:
        names = {metric.name for metric in seen.run.policy.metrics}
        assert all(own <= names for own in measured(seen.look()))

    def test_of_a_run_that_nobody_knows_nothing_is_good(self, seen: Seen) -> None:
        unknown = replace(seen.run.policy, name="unknown", candidates=_others(seen.run))
        found = seen.look(uid="zzzzzzzz", policy=unknown, revision=77)
        assert len(found.evidence.arms) == len(unknown.candidates)
        assert found.evidence.enrolled.sum() == 0
        assert _findings(replace(seen.run, policy=unknown), found, seen.now_us) <= NOT_GOOD

    def test_nothing_before_a_runs_start_counts(self, seen: Seen) -> None:
        began = seen.now_us
        found = seen.look(uid="yyyyyyyy", started_us=began, step_entered_us=began, revision=78)
        assert found.evidence.enrolled.sum() == 0
        assert _findings(seen.run, found, seen.now_us) <= NOT_GOOD

    def test_a_stopped_candidate_is_read_no_more_and_keeps_its_place(self, seen: Seen) -> None:
        found = seen.look(stopped={1: seen.run.started_us})
        assert len(found.evidence.arms) == len(seen.run.policy.candidates)

    def test_a_source_that_cannot_ask_returns_or_says_retry_and_nothing_is_good(self, silent: Seen) -> None:
        """That it returns at all is the bound: what it asks hangs for as long as this test lasts."""
        found = Observed(nothing_known(silent.run.policy))
        with suppress(Retry):
            found = silent.look()
        assert _findings(silent.run, found, silent.now_us) <= NOT_GOOD


def _findings(run: Experiment, found: Observed, now_us: int) -> set[Finding]:
    """Return what is found at a look whose records reach to now: absence is told apart from lateness."""
    fresh = replace(found.evidence, watermark_us=now_us, fast_watermark_us=now_us)
    return {verdict.finding for verdict in judge(run, fresh, now_us, PATIENCE).verdicts}


def _others(run: Experiment) -> tuple[Version, ...]:
    return tuple(replace(one, version=f"{one.version}-unknown") for one in run.policy.candidates)
