"""What the later turns of a run are told: a watch, and what follows a mismatch that a person cleared."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import judge
from rollout.domain.verdict import Finding
from tests.intake.test_evidence import PATIENCE, SECOND_US, Place, experiment, place
from tests.lake.histories import BEGIN_US, LIMIT_US, Request, request_at

PROMOTED_S: Final = 60
WATCHED: Final = replace(
    experiment(), phase=Phase.WATCHING, winner=1, watch_from_us=BEGIN_US + PROMOTED_S * SECOND_US
)


def requests(route: str, *, begin_s: int, is_slow: bool = False) -> list[Request]:
    """Return a minute of requests, one a second of each of 40 units; some are slow more often than others."""
    return [
        request_at(
            second * SECOND_US + unit,
            unit=f"{route}-{unit}",
            route=f"ranker/{route}",
            dur_us=LIMIT_US + 1 if is_slow and second % 4 <= unit % 4 else 1_000,
        )
        for second in range(begin_s, begin_s + 60)
        for unit in range(40)
    ]


def finding(found: Place, run: Experiment, at_s: int) -> tuple[Finding, bool]:
    """Return what a look says of the limit, and whether it is too early to say anything."""
    at_us = BEGIN_US + at_s * SECOND_US
    found.filed_until(at_us)
    judged = judge(run, found.look(run, at_us), at_us, PATIENCE)
    (limit,) = (verdict for verdict in judged.verdicts if verdict.metric == "p99")
    return limit.finding, limit.is_immature


def on_trial(*, is_slow: bool = False) -> list[Request]:
    """Return what came before the promotion: the candidate's requests may be slow."""
    return [*requests("control/1", begin_s=0), *requests("candidate1/1", begin_s=0, is_slow=is_slow)]


def test_a_slow_winner_violates_its_limit_whatever_it_was_on_trial() -> None:
    with place(experiment()) as found:
        found.file([*on_trial(), *requests("promoted", begin_s=PROMOTED_S, is_slow=True)])
        assert finding(found, experiment(), 50)[0] is not Finding.HARMED
        assert finding(found, WATCHED, PROMOTED_S + 60) == (Finding.HARMED, False)


def test_what_was_slow_on_trial_is_no_harm_of_the_watch() -> None:
    with place(experiment()) as found:
        found.file([*on_trial(is_slow=True), *requests("promoted", begin_s=PROMOTED_S)])
        assert finding(found, experiment(), 60)[0] is Finding.HARMED
        assert finding(found, WATCHED, PROMOTED_S + 60)[0] is not Finding.HARMED


def test_a_watch_that_sees_nobody_is_early_and_then_misses_them() -> None:
    with place(experiment()) as found:
        found.file(on_trial())
        assert finding(found, WATCHED, PROMOTED_S + 5) == (Finding.UNCLEAR, True)
        assert finding(found, WATCHED, PROMOTED_S + 3_600) == (Finding.MISSING, False)


def test_a_mismatch_that_a_person_cleared_is_counted_anew() -> None:
    cleared_us = BEGIN_US + 70 * SECOND_US
    late = [request_at(80 * SECOND_US + n, unit=f"late-{n}", route="ranker/control/1") for n in range(9)]
    with place(experiment()) as found:
        found.file([*on_trial(), *requests("candidate1/1", begin_s=80), *late])
        at_us = BEGIN_US + 200 * SECOND_US
        found.filed_until(at_us)
        before = found.look(experiment(), at_us).enrolled
        after = found.look(replace(experiment(), balanced_us=cleared_us), at_us)
    assert before.sum(axis=0).tolist() == [49, 40]
    assert after.enrolled.sum(axis=0).tolist() == [9, 0]
    assert after.first_enrolled_us == BEGIN_US
