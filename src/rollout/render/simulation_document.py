"""A simulation for programs: units in the names, and nothing that a clock would change."""

from __future__ import annotations

from rollout.simulation.ending import Outcome
from rollout.simulation.levels import left_out
from rollout.simulation.result import Account, Result, Spread


def document(result: Result) -> dict[str, object]:
    """Return the result as plain values."""
    simulated, course = result.simulated, result.simulated.course
    return {
        "policy": course.policy.name,
        "scenario": course.scenario.name,
        "about": course.scenario.about,
        "leftOut": list(left_out(course.policy, course.scenario)),
        "replicates": len(simulated.endings),
        "seed": simulated.seed,
        "everyS": course.every_s,
        "ours": _account(result.ours),
        "naive": None if result.naive is None else _account(result.naive),
        "decidedS": _spread(result.decided_s),
        "exposed": {
            "mean": result.exposed_mean,
            "share": result.exposed_share,
            **(_spread(result.exposed) or {}),
        },
        "reasons": [
            {
                "end": why.outcome.value,
                "reason": why.reason.name.lower().replace("_", "-"),
                "sentence": why.reason.meaning,
                "metric": why.metric,
                "count": why.count,
            }
            for why in result.reasons
        ],
    }


def _account(account: Account) -> dict[str, object]:
    ends = {
        outcome.value: {
            "count": found.count,
            "share": found.estimate,
            "low": found.low,
            "high": found.high,
            "afterS": None if outcome is Outcome.RUNNING else _spread(account.times_s.get(outcome)),
        }
        for outcome, found in account.shares.items()
    }
    harmful = account.harmful
    promoted = {"count": harmful.count, "share": harmful.estimate, "low": harmful.low, "high": harmful.high}
    return {"ends": ends, "promotedWhileHarmful": promoted}


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {"tenth": spread.tenth, "median": spread.median, "nineTenths": spread.nine_tenths}
