"""Policies, splits and requests as Hypothesis draws them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from rollout.domain.assignment import Placement, Split
from rollout.domain.buckets import Range
from rollout.domain.policy import WHOLE_BP, Condition, Hold, Layer, MirrorStep, Policy, Step, Test, Version
from tests.domain.examples import POLICY

TIERS = ("free", "pro", "gold")
HEADERS = ("x-tier", "X-Region")

units = st.text(min_size=1, max_size=20) | st.integers(0, 10**6).map("user-{}".format)
conditions = st.builds(
    Condition,
    st.sampled_from(HEADERS),
    st.sampled_from(Test),
    st.lists(st.sampled_from([*TIERS, "f", "eu"]), min_size=1, max_size=2, unique=True).map(tuple),
)
headers = st.dictionaries(st.sampled_from(["x-tier", "X-Tier", "x-region"]), st.sampled_from(TIERS))


def shaped(policy: Policy, *, candidates: int, weights_bp: list[int]) -> Policy:
    """Return the policy with this many candidates and these weights."""
    return replace(
        policy,
        candidates=tuple(Version(f"2.{number}", "http://127.0.0.1:1") for number in range(candidates)),
        steps=tuple(Step(weight, Hold()) for weight in weights_bp),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw a policy without targeting: any number of candidates, weights up to an equal share, any salt."""
    candidates = draw(st.integers(1, 4))
    weights = st.lists(st.integers(1, WHOLE_BP // (candidates + 1)), min_size=1, max_size=6, unique=True)
    policy = shaped(POLICY, candidates=candidates, weights_bp=sorted(draw(weights)))
    return replace(policy, salt=draw(st.text(min_size=1, max_size=8)))


@st.composite
def targeted(draw: st.DrawFn) -> Policy:
    """Draw a policy that not everyone takes part in."""
    return replace(
        draw(policies()),
        match=tuple(draw(st.lists(conditions, max_size=2))),
        holdout_bp=draw(st.sampled_from([0, 200, 5_000])),
        layer=draw(
            st.none() | st.builds(Layer, st.sampled_from(["blue", "green"]), st.integers(1, WHOLE_BP))
        ),
        mirror_steps=draw(st.sampled_from([(), (MirrorStep(1_000, Hold()), MirrorStep(5_000, Hold()))])),
    )


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    """Draw a policy anywhere on its way: at any step, with stopped arms, promoted, released."""
    policy = draw(targeted())
    arms = st.integers(1, len(policy.candidates))
    split = Split(
        steps_on=draw(st.integers(0, len(policy.steps))),
        is_promoted=draw(st.booleans()),
        winner=draw(arms),
        stopped=frozenset(draw(st.sets(arms))),
        mirror_on=draw(st.integers(0, len(policy.mirror_steps))),
        is_released=draw(st.booleans()),
    )
    share = 0 if policy.layer is None else policy.layer.share_bp
    return Placement(policy, draw(st.integers(1, 9)), split, Range(0, share) if share else None)
