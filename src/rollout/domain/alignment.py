"""Which step of one policy is which of another, so that an added step is one change, and not all after it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher

from rollout.domain.policy import Policy


def aligned(old: Policy, new: Policy) -> Mapping[int, int]:
    """Return the new policy's step for each of the old one's that is still there, equal or changed."""
    blocks = SequenceMatcher(None, old.stages, new.stages, autojunk=False).get_opcodes()
    return {
        before: after
        for _, old_from, old_to, new_from, new_to in blocks
        for before, after in zip(range(old_from, old_to), range(new_from, new_to), strict=False)
    }
