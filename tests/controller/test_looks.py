"""How many looks are kept: enough for a picture, never too many, and every change of mind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.controller.looks import Album, Look
from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import GAP_US, Phase
from rollout.domain.history import Entry
from rollout.ports import Standing
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US, judgement

RUN = replace(EXPERIMENT, started_us=NOW_US)
HELD = Decision(Reason.GOAL_UNPROVEN, "converted")


def look(at_us: int, *, is_fresh: bool = True) -> Look:
    return Look(at_us, replace(judgement(), evidence_is_fresh=is_fresh), at_us)


def kept(*decisions: Decision, until_us: int, is_fresh: bool = True) -> list[Entry]:
    """Return what is kept of a run whose looks every ten seconds end in these decisions in turn."""
    album, entries, run = Album(), list[Entry](), RUN
    for number, at_us in enumerate(range(NOW_US, NOW_US + until_us, 10 * SECOND_US)):
        seen = Standing(run, number, entries[-1] if entries else None)
        decision = decisions[number % len(decisions)]
        after = replace(run, fresh_us=at_us) if is_fresh else run
        entry = album.entry(seen, after, decision, look(at_us, is_fresh=is_fresh))
        if entry:
            entries.append(entry)
        if entry or album.state_is_due(run, after):
            run = after
    return entries


@pytest.mark.parametrize(("days", "most"), [(1, 600), (14, 900)])
def test_their_number_grows_with_the_logarithm_of_a_run_s_age(days: int, most: int) -> None:
    entries = kept(HELD, until_us=days * 24 * HOUR_US)
    assert most // 2 <= len(entries) <= most
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))


def test_reasons_that_change_all_the_time_are_bounded_too() -> None:
    entries = kept(HELD, Decision(Reason.EVIDENCE_STALE), until_us=2 * 24 * HOUR_US)
    assert len(entries) <= 2 * 24 * 120 + 2_000
    assert len(kept(HELD, Decision(Reason.EVIDENCE_STALE), until_us=HOUR_US)) == 360


def test_a_look_at_stale_evidence_is_no_picture() -> None:
    assert len(kept(Decision(Reason.EVIDENCE_STALE), until_us=HOUR_US, is_fresh=False)) == 1


@pytest.mark.parametrize("after", [replace(RUN, phase=Phase.PAUSED), replace(RUN, step=0)])
def test_a_change_of_phase_or_step_is_always_kept(after: object) -> None:
    assert isinstance(after, type(RUN))
    last = kept(HELD, until_us=SECOND_US)[0]
    seen = Standing(RUN, 2, last)
    assert Album().entry(seen, after, HELD, look(NOW_US + 1)) is not None
    assert Album().entry(seen, RUN, HELD, look(NOW_US + 1)) is None


def test_state_alone_is_due_for_a_latched_proof_and_for_freshness() -> None:
    album = Album()
    assert not album.state_is_due(RUN, RUN)
    assert album.state_is_due(RUN, replace(RUN, latches={"converted": 1.0}))
    assert not album.state_is_due(RUN, replace(RUN, fresh_us=RUN.fresh_us + 29 * SECOND_US))
    assert album.state_is_due(RUN, replace(RUN, fresh_us=RUN.fresh_us + 30 * SECOND_US))


def test_a_picture_that_is_nearly_due_goes_with_a_state_that_is_written_anyway() -> None:
    hour = replace(RUN, started_us=NOW_US - HOUR_US)
    (last,) = kept(HELD, until_us=SECOND_US)
    seen = Standing(hour, 2, last)
    fresh = replace(hour, fresh_us=hour.fresh_us + 30 * SECOND_US)
    for after, seconds, is_kept in (
        (fresh, 28, True),
        (fresh, 26, False),
        (hour, 35, False),
        (hour, 37, True),
    ):
        entry = Album().entry(seen, after, HELD, look(NOW_US + seconds * SECOND_US))
        assert (entry is not None) == is_kept, (seconds, is_kept)


def test_recorded_freshness_never_lags_by_as_much_as_a_gap_that_counts() -> None:
    assert Album().freshness_s / 10 * SECOND_US <= GAP_US / 2
