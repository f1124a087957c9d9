"""The policies of simulated worlds: small lives with every choice that a policy has."""

from __future__ import annotations

import random
from dataclasses import replace

from rollout.domain.policy import (
    Actions,
    Choice,
    Decide,
    Hold,
    LocalCommand,
    MirrorStep,
    Policy,
    Resilience,
    Step,
    Version,
)
from tests.domain.examples import POLICY

APPROVERS = ("leads",)
FEW_S = 4.0


def drawn(chance: random.Random, name: str) -> Policy:
    """Return a policy whose life is short and whose every choice is drawn."""

    def choice() -> Choice:
        return chance.choice((Choice.PAUSE, Choice.ROLL_BACK))

    last = Step(3_000, Hold(until_verdict=True, at_most_s=chance.choice((25.0, 50.0))))
    weights = (Step(100, Hold(for_s=FEW_S, min_units=500)), Step(1_000, Hold(for_s=FEW_S)))
    second = Version("3.0.0", "http://127.0.0.1:8003")
    return replace(
        POLICY,
        name=name,
        path=f"/{name}",
        salt=name,
        candidates=POLICY.candidates + ((second,) if chance.random() < 0.2 else ()),
        resilience=Resilience(falls_back=False),
        mirror_steps=(MirrorStep(1_000, Hold(for_s=FEW_S)),) if chance.random() < 0.1 else (),
        steps=(*weights[: chance.randint(0, 2)], last),
        approvers=APPROVERS if chance.random() < 0.15 else (),
        decide=Decide(
            inconclusive=choice(),
            mismatch=choice(),
            no_data_hold_s=chance.choice((12.0, 30.0)),
            no_data_then=choice(),
        ),
        actions=Actions(promote=_command(chance), rollback=_command(chance)),
        watch_s=chance.choice((0.0, 6.0)),
    )


def revised(chance: random.Random, policy: Policy) -> Policy:
    """Return the policy as a person has changed it: at once, or as a new revision."""
    if chance.random() < 0.4:
        return replace(policy, owner=f"owner-{chance.randint(1, 9)}")
    if chance.random() < 0.3:
        return replace(policy, actions=Actions(promote=_command(chance), rollback=_command(chance)))
    return replace(policy, holdout_bp=policy.holdout_bp + 10)


def again(policy: Policy, served: Version) -> Policy:
    """Return a policy that tries the candidates on whatever is served now."""
    return replace(policy, baseline=replace(policy.baseline, version=served.version))


def _command(chance: random.Random) -> LocalCommand | None:
    program = chance.choices(("true", "false", "sleep", None), weights=(12, 1, 1, 4))[0]
    return None if program is None else LocalCommand((program,))
