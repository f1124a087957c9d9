"""A simulation in words and tables, the same on a terminal and on its page."""

from __future__ import annotations

from typing import Final

from rollout.domain.plan.words import count, percent, span
from rollout.simulation.ending import Outcome
from rollout.simulation.levels import left_out
from rollout.simulation.result import Account, Result, Share, Spread

ABSENT: Final = "–"
READING: Final = (
    (
        "A life is one run of the policy, from its first look to the decision that ends it: a promotion, a "
        "rollback, or a pause, after which a person decides. People who are asked approve; the watch after a "
        "promotion is not lived through."
    ),
    "Chances come with the interval that holds the true one 95 times in 100 (Clopper and Pearson).",
    (
        "The naive rule sees the same users: it puts them into one pot, the candidate's against all others, "
        "looks as often, and stops at the first p < 5 %, two-sided, for or against."
    ),
    (
        "Harmful is a version that is just then beyond what the policy allows: a goal below its margin (or "
        "below zero), errors, waiting or fallback above theirs."
    ),
)
_WORDS: Final = {
    Outcome.PROMOTED: "promoted",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.PAUSED: "paused for a person",
    Outcome.STOPPED: "over, nothing to promote",
    Outcome.RUNNING: "still running",
    Outcome.UNDECIDED: "undecided",
}


def answer(result: Result) -> str:
    """Return the result in one sentence."""
    ours = f"{_most(result.ours)}{_harmfully(result.ours)}"
    if result.naive is None:
        return f"{ours}."
    return f"{ours}; the naive test: {_most(result.naive)}{_harmfully(result.naive)}."


def _most(account: Account) -> str:
    """Return the ends that came, the most frequent first."""
    came = sorted(account.shares.items(), key=lambda item: -item[1].count)
    return ", ".join(f"{share(one)} {_WORDS[outcome]}" for outcome, one in came if one.count)


def _harmfully(account: Account) -> str:
    if not account.harmful.count:
        return ""
    promoted = account.shares[Outcome.PROMOTED].count
    all_of_them = (
        "all of them" if account.harmful.count == promoted else f"{account.harmful.count} of {promoted}"
    )
    return f" (promoted while harmful: {all_of_them})"


def ends(result: Result) -> list[dict[str, str]]:
    """Return one row for each end that came to either rule."""
    known = [*result.ours.shares, Outcome.UNDECIDED]
    rows = []
    for outcome in known:
        ours = result.ours.shares.get(outcome)
        theirs = None if result.naive is None else result.naive.shares.get(outcome)
        if not any(one is not None and one.count for one in (ours, theirs)):
            continue
        row = {"end": _WORDS[outcome], **_row(result.ours, outcome, "")}
        rows.append(row if result.naive is None else row | _row(result.naive, outcome, "naive "))
    return rows


def _row(account: Account, outcome: Outcome, whose: str) -> dict[str, str]:
    found, times = account.shares.get(outcome), account.times_s.get(outcome)
    is_known = found is not None and outcome not in {Outcome.RUNNING, Outcome.UNDECIDED}
    return {
        f"{whose}chance": ABSENT if found is None else share(found),
        f"{whose}interval": ABSENT if found is None else interval(found),
        f"{whose}after": spread(times) if is_known else ABSENT,
    }


def reasons(result: Result) -> list[dict[str, str]]:
    """Return one row for each reason that lives ended for."""
    return [
        {
            "end": _WORDS[why.outcome],
            "reason": why.reason.meaning,
            "metric": why.metric or ABSENT,
            "lives": f"{why.count:,}",
        }
        for why in result.reasons
    ]


def harm(result: Result) -> str:
    """Say how many users met a harmful version."""
    if not result.exposed_mean:
        return "Nobody met a harmful version."
    low, median, high = (count(round(one)) for one in _ends(result.exposed))
    of_all = percent(result.exposed_share)
    return (
        f"Users who met a harmful version, in one life: {median} (median; {low} to {high} in four of five), "
        f"{of_all} of all who met a candidate."
    )


def _ends(found: Spread) -> tuple[float, float, float]:
    return found.tenth, found.median, found.nine_tenths


def lacking(result: Result) -> str:
    """Say which part of the scenario means nothing for this policy, if any."""
    course = result.simulated.course
    names = left_out(course.policy, course.scenario)
    if not names:
        return ""
    return f"Left out, because {course.policy.name} has none of the kind: {', '.join(names)}."


def setting(result: Result) -> str:
    """Say what was simulated, so that it can be done again."""
    course = result.simulated.course
    lives = f"{len(result.simulated.endings):,}"
    every = span(course.every_s)
    return f"{lives} lives, a look every {every} and more at first, seed {result.simulated.seed}"


def share(found: Share) -> str:
    """Return a chance: never none and never sure unless nothing else was seen."""
    if found.count in {0, found.of}:
        return f"{round(found.estimate * 100)} %"
    return f"{min(max(found.estimate * 100, 0.1), 99.9):.1f} %"


def interval(found: Share) -> str:
    """Return the interval of a chance."""
    return f"{found.low * 100:.1f} – {found.high * 100:.1f} %"


def spread(times: Spread | None) -> str:
    """Return the median time, and where four of five lie."""
    if times is None:
        return ABSENT
    return f"{span(times.median)} ({span(times.tenth)} – {span(times.nine_tenths)})"
