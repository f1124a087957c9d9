"""Whether a policy can be served beside the others that are, and which range of its layer it gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from rollout.api.problems import Refusal
from rollout.api.shapes import is_over
from rollout.domain.assignment import Placement, Split
from rollout.domain.buckets import Range
from rollout.domain.experiment import Experiment, Phase, placement_of
from rollout.domain.layers import allot, share_layer
from rollout.domain.policy import Policy
from rollout.errors import Problem, WrongTraffic


def range_beside(
    others: Sequence[Experiment],
    policy: Policy,
    own: Sequence[Experiment],
    refuse_impossible: Callable[[Sequence[Placement]], None],
) -> Range | None:
    """Return the range of its layer that a policy gets; refuse what cannot be served beside the others.

    `own` is the policy's own run, if it goes on: its range is its own, and what ended has none.
    """
    served = [run for run in others if run.phase is not Phase.RETIRED]
    try:
        live = [placement_of(run) for run in (*own, *served) if not is_over(run)]
        owned = allot(policy, live)
        refuse_impossible([*map(placement_of, served), Placement(policy, 1, Split(), owned)])
    except WrongTraffic as error:
        raise Refusal(HTTPStatus.CONFLICT, *error.problems) from None
    for run in served:
        if run.policy.salt == policy.salt and not share_layer(run.policy, policy):
            what = f"{run.policy.name} has the salt '{policy.salt}' too"
            remedy = "give each policy a salt of its own: assignment.salt"
            raise Refusal(HTTPStatus.CONFLICT, Problem(policy.name, what, remedy))
    return owned
