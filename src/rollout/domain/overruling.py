"""What a policy decides instead of what a person asks for: known before the wish is recorded."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.decide import decide
from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Experiment
from rollout.domain.verdict import Judgement
from rollout.domain.wish import Wish


def overruled(experiment: Experiment, judgement: Judgement, wish: Wish, now_us: int) -> Decision | None:
    """Return what a fitting wish would overrule, or None where the policy does the same by itself.

    Neither hours nor proxies are overruled: for those a wish waits.
    """
    # Harm outranks every wish, and a wish for more traffic then comes to nothing: it is no one's override.
    at_once = replace(judgement, traffic_is_live=True, window_is_open=True)
    asking = replace(experiment, wish=replace(wish, overrules=False), rollback_wish=None)
    if decide(asking, at_once, None, now_us).reason is not Reason.WISH_UNFIT:
        return None
    return decide(replace(asking, wish=None), at_once, None, now_us)
