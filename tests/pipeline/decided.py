"""What a world of the pipeline claims: what the product decided there, held to the risk of its policy."""

from __future__ import annotations

from typing import Final

from tests.calibration.trap import Claim, ours, shown
from tests.pipeline.lived import Lived
from tests.pipeline.questions import MISMATCH_ALPHA, RISK

BATCH: Final = 50
"""Replicates of one log and one lake."""


def not_promoted(lived: Lived) -> Claim:
    """Return the claim that what is not better, or not safe, is not promoted."""
    return ours("promoted", lived.promoted, alpha=RISK.wrong_promotion)


def not_rolled_back(lived: Lived) -> Claim:
    """Return the claim that what does no harm is not rolled back."""
    return ours("rolled back", lived.harmed, alpha=RISK.wrong_rollback)


def not_mismatched(lived: Lived) -> Claim:
    """Return the claim that a split that holds is not called broken."""
    return ours("paused for a mismatch", lived.mismatched, alpha=MISMATCH_ALPHA)


def goal_alone(lived: Lived) -> Claim:
    """Return in how many the goal is proven at the last look: there something else keeps from a promotion."""
    return shown(
        "the goal is proven",
        lived.each(lambda one: one.verdicts(one.experiment.policy.metrics[0].name)[-1].is_proven),
    )


def nothing_decided(lived: Lived) -> list[Claim]:
    """Return all three: in a world where nothing differs, none of them may be decided."""
    return [not_promoted(lived), not_rolled_back(lived), not_mismatched(lived)]
