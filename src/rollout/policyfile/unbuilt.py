"""What a policy can ask for and nobody carries out yet: refused at the start, never ignored.

When a feature arrives, its line goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rollout.domain.policy import Policy, WorkflowCall


def _calls_workflows(policy: Policy) -> bool:
    return any(isinstance(one, WorkflowCall) for one in (policy.actions.promote, policy.actions.rollback))


UNBUILT: Final[tuple[tuple[str, Callable[[Policy], bool]], ...]] = (
    ("mirror steps", lambda policy: bool(policy.mirror_steps)),
    ("warmup", lambda policy: any(stage.warmup_s > 0 for stage in policy.stages)),
    ("actions by workflowTemplate", _calls_workflows),
)
"""Each feature as people write it, and whether a policy uses it."""


def unbuilt(policy: Policy) -> tuple[str, ...]:
    """Return what a policy asks for that is not carried out yet."""
    return tuple(feature for feature, uses in UNBUILT if uses(policy))
