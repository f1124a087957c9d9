"""A decision computed once more: the same to the last bit, and what was changed of its record is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.basis import Basis, settled
from rollout.domain.decide import decide
from rollout.domain.decision import Decision, Reason
from rollout.domain.evidence import Evidence
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment, JobState, Phase
from rollout.domain.history import Entry
from rollout.domain.job import JobReport
from rollout.domain.judge import Patience, judge
from rollout.domain.replay import replay
from rollout.domain.verdict import Finding
from rollout.store.basis_rows import basis_of, text_of
from tests.domain.batches import EVERYTHING, Draws, drawn_runs, only
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, evidence
from tests.domain.test_promises import experiments

PATIENCE = Patience()
REPLICATES = 5
NOW = "1.0"


def recorded(
    before: Experiment,
    seen: Evidence | None,
    job: JobState | None = None,
    previous: Entry | None = None,
    *,
    is_live: bool = True,
) -> tuple[Entry, Basis]:
    """Return what a look at a run records."""
    if seen is None:
        assert previous is not None
        judgement, mark = previous.judgement, previous.watermark_us
        is_live = judgement.traffic_is_live
    else:
        seen = settled(seen)
        judged = judge(before, seen, NOW_US, PATIENCE)
        judgement, mark = replace(judged, traffic_is_live=is_live), seen.watermark_us
    decision = decide(before, judgement, job, NOW_US)
    after = evolve(before, judgement, decision, NOW_US)
    entry = Entry(1, NOW_US, decision, after.phase, after.step, judgement, mark, after.revision, after.policy)
    report = None if job is None else JobReport(job)
    return entry, Basis(NOW, before, after, PATIENCE, seen, report, is_live, window_is_open=True)


def read_again(basis: Basis) -> Basis:
    """Return what stands in the ledger, as another process reads it."""
    return basis_of(text_of(basis), basis.before.policy)


@given(st.integers(0, 2**32))
@settings(max_examples=25)
def test_whatever_was_measured_the_same_is_judged_and_decided(seed: int) -> None:
    draws = Draws(np.random.default_rng(seed), REPLICATES)
    look, runs = draws.look(EVERYTHING), drawn_runs(draws, EVERYTHING)
    for number, run in enumerate(runs):
        # One replicate is cut out of larger arrays: its numbers are scattered over the memory.
        entry, basis = recorded(run, only(look, number, replicates=REPLICATES))
        again = read_again(basis)
        assert text_of(again) == text_of(basis)
        found = replay(entry, again, None, program=NOW)
        assert (found.differences, found.trifles, found.is_same_program) == ((), (), True)


@given(experiments(), st.sampled_from([None, *JobState]), st.booleans())
def test_wherever_a_run_stands_the_same_is_decided(
    run: Experiment,
    job: JobState | None,
    is_live: bool,  # noqa: FBT001 (drawn)
) -> None:
    entry, basis = recorded(run, evidence_for(run), job, is_live=is_live)
    assert replay(entry, read_again(basis), None, program=NOW).agrees


def evidence_for(run: Experiment) -> Evidence:
    """Return the scene's evidence, for as many candidates as a policy has."""
    seen, arms = evidence(), run.policy.arms
    return replace(
        seen,
        arms=seen.arms * len(run.policy.candidates),
        enrolled=np.full((1, arms), 40_000),
        units_in_step=np.full(arms, 20_000),
    )


def test_a_run_without_traffic_rests_on_the_entry_before() -> None:
    first, _ = recorded(EXPERIMENT, evidence(errors=0.2))
    leaving = replace(EXPERIMENT, phase=Phase.ROLLING_BACK)
    entry, basis = recorded(leaving, None, JobState.SUCCEEDED, first)
    assert entry.decision.reason is Reason.ROLLBACK_DONE
    assert replay(entry, read_again(basis), first, program=NOW).agrees
    harmless = replace(first, judgement=replace(first.judgement, split_holds=False))
    (found,) = replay(entry, read_again(basis), harmless, program=NOW).differences
    assert found.field == "judgement.split_holds"


def entry_with(**changes: Any) -> Callable[[Entry], Entry]:  # noqa: ANN401 (fields of an entry)
    return lambda entry: replace(entry, **changes)


def better(entry: Entry) -> Entry:
    """Return an entry that says the goal was proven."""
    first, *others = entry.judgement.verdicts
    proven = replace(first, finding=Finding.BETTER)
    return replace(entry, judgement=replace(entry.judgement, verdicts=(proven, *others)))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (better, "judgement.verdicts[0].finding"),
        (entry_with(decision=Decision(Reason.GOAL_PROVEN, arm=1)), "decision.reason"),
        (entry_with(phase=Phase.PROMOTING), "phase"),
        (entry_with(step=1), "step"),
        (entry_with(revision=2), "revision"),
        (entry_with(watermark_us=NOW_US), "watermark_us"),
        (entry_with(at_us=NOW_US + HOUR_US), "judgement.evidence_is_fresh"),
        (entry_with(policy=replace(EXPERIMENT.policy, owner="others")), "policy.owner"),
    ],
)
def test_a_changed_entry_is_found(change: Callable[[Entry], Entry], field: str) -> None:
    entry, basis = recorded(EXPERIMENT, evidence(converted=0.12))
    assert entry.decision.reason is Reason.GOAL_UNPROVEN
    assert field in {one.field for one in replay(change(entry), basis, None, program=NOW).differences}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"evidence": evidence(converted=0.14)}, "decision.reason"),
        ({"before": replace(EXPERIMENT, step=1)}, "decision.reason"),
        ({"after": replace(EXPERIMENT, winner=1)}, "state.winner"),
        ({"patience": Patience(stale_after_us=1)}, "judgement.evidence_is_fresh"),
        ({"traffic_is_live": False}, "judgement.traffic_is_live"),
        ({"window_is_open": False}, "judgement.window_is_open"),
    ],
)
def test_a_changed_basis_is_found(change: dict[str, Any], field: str) -> None:
    entry, basis = recorded(EXPERIMENT, evidence(converted=0.12))
    found = replay(entry, replace(basis, **change), None, program=NOW).differences
    assert field in {one.field for one in found}


def test_a_changed_job_is_found() -> None:
    leaving = replace(EXPERIMENT, phase=Phase.PROMOTING, winner=1)
    entry, basis = recorded(leaving, evidence(), JobState.FAILED)
    changed = replace(basis, job=JobReport(JobState.SUCCEEDED))
    assert not replay(entry, changed, None, program=NOW).agrees


def test_the_last_digits_and_a_newer_program_s_words_are_trifles() -> None:
    entry, basis = recorded(EXPERIMENT, evidence(converted=0.12))
    first, *others = entry.judgement.verdicts
    rounded = replace(first, log_e_harm=first.log_e_harm * (1 + 1e-13), why="other words")
    other = replace(entry, judgement=replace(entry.judgement, verdicts=(rounded, *others)))
    same, newer = (replay(other, basis, None, program=program) for program in (NOW, "2.0"))
    assert [one.field for one in same.differences] == ["judgement.verdicts[0].why"]
    assert [one.field for one in same.trifles] == ["judgement.verdicts[0].log_e_harm"]
    assert (newer.agrees, newer.is_same_program) == (True, False)
    assert (newer.recorded_by, newer.recomputed_by) == (NOW, "2.0")


def test_evidence_in_order_is_left_as_it_is() -> None:
    seen = evidence()
    assert settled(seen) is seen
    turned = replace(seen, enrolled=np.asfortranarray(np.ones((3, 2), dtype=np.int64)))
    assert settled(turned).enrolled.flags.c_contiguous
    assert settled(turned).arms is turned.arms
