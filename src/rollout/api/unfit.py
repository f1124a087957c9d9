"""Why a wish cannot be fulfilled where a run stands, and what can be asked instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rollout.api.shapes import progress
from rollout.domain.access import Caller
from rollout.domain.decision import Decision
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.verdict import Judgement
from rollout.domain.wish import Asked, Wish
from rollout.errors import Problem, choices, nearest

_ENDS_AS: Final[Mapping[Asked, frozenset[Phase]]] = {
    Asked.PAUSE: frozenset({Phase.PAUSED}),
    Asked.STOP: frozenset({Phase.STOPPED}),
    Asked.RETIRE: frozenset({Phase.RETIRED}),
}
_INSTEAD: Final[Mapping[Asked, str]] = {
    Asked.PAUSE: "only what is running or awaits approval can be paused",
    Asked.RESUME: "only what is paused can be resumed",
    Asked.ADVANCE: "only what is running advances: resume it first, or promote it",
    Asked.PROMOTE: "only what is on trial can be promoted",
    Asked.APPROVE: "wait until it awaits approval: `rollout explain` says what it waits for",
    Asked.RETRY: "only an action that failed can be tried again",
    Asked.STOP: "only what is on trial can be stopped: roll it back instead",
    Asked.RETIRE: "only what has ended can be retired: stop it or roll it back first",
}


def ended_as(kind: Asked) -> frozenset[Phase]:
    """Return the phases in which a run is as the wish wants it."""
    return _ENDS_AS.get(kind, frozenset())


def unfit(run: Experiment, wish: Wish) -> Problem:
    """Say why a wish does not fit, and what to ask instead."""
    name, active = run.policy.name, run.active_arms
    what, remedy = f"it is {run.phase} and cannot {_words(wish)}", _INSTEAD.get(wish.kind, "wait for its end")
    if run.rollback_failed:
        what, remedy = "its rollback action failed", "retry that action, or retire the route"
    elif wish.kind is Asked.ADVANCE and run.phase is Phase.RUNNING:
        what, remedy = "it is in its last step", "wait for its proof, or promote it"
    elif wish.kind is Asked.PROMOTE and not run.policy.steps:
        what, remedy = "copies of requests prove nothing", "start a policy with weight steps"
    elif wish.kind is Asked.PROMOTE and run.phase in {Phase.RUNNING, Phase.PAUSED, Phase.AWAITING_APPROVAL}:
        left = [run.policy.candidates[arm - 1].version for arm in active]
        what = "that candidate is stopped" if wish.arm else "several candidates are left"
        remedy = f"name one with `candidate`: {choices(left)}" if left else "it is about to be rolled back"
    elif wish.kind is Asked.APPROVE and run.phase is Phase.AWAITING_APPROVAL:
        what = f"its policy asks no group '{wish.group}'"
        remedy = f"approve for {choices(run.policy.approvers)}"
    return Problem(name, what, remedy)


def unproven(run: Experiment, judgement: Judgement, wish: Wish, instead: Decision) -> list[Problem]:
    """Say what a wish would overrule, and of each metric how much of its proof there is."""
    name = run.policy.name
    about = "" if instead.metric is None else f" ({instead.metric})"
    remedy = "wait for it, or let an admin ask with `override`"
    problems = [Problem(name, f"not yet: {instead.reason.meaning}{about}", remedy)]
    if wish.kind is Asked.ADVANCE:
        return problems
    arm = wish.arm or run.active_arms[0]
    for one in judgement.verdicts:
        if one.arm == arm and not one.allows_promotion:
            share = progress(one.latched_proof, one.proof_bar)
            found = f"{one.finding.value}, with {share:.0%} of the proof that it needs"
            problems.append(Problem(f"{name}: {one.metric}", found, one.why or remedy))
    return problems


def unchosen(run: Experiment, version: str, known: Sequence[str]) -> Problem:
    """Say that no candidate has a version."""
    guess = nearest(version, known)
    remedy = f"did you mean '{guess}'?" if guess else f"name {choices(known)}"
    return Problem(f"{run.policy.name}: candidate", f"no candidate is of version '{version}'", remedy)


def group_refused(run: Experiment, group: str | None, caller: Caller) -> Problem:
    """Say that a token may not approve in a group's name."""
    own = ", ".join(sorted(caller.groups)) or "no group"
    wanted = choices(run.policy.approvers) if group is None else group
    what = f"the token '{caller.name}' may approve for {own}, not for {wanted}"
    return Problem(run.policy.name, what, "show a token of that group, or an admin's")


def unlooked(name: str) -> Problem:
    """Say that nobody has looked at a run since the start."""
    what = "not looked at since the control plane started"
    return Problem(name, what, "ask again in a few seconds")


def awaited(run: Experiment, wish: Wish) -> Problem:
    """Say that another wish comes first."""
    what = f"{wish.who} asked to {_words(wish)}, which is not decided yet"
    return Problem(run.policy.name, what, "ask again in a second; if it lasts, is the controller running?")


def _words(wish: Wish) -> str:
    group = f" for {wish.group}" if wish.group else ""
    return f"{'roll back' if wish.kind is Asked.ROLLBACK else wish.kind}{group}"
