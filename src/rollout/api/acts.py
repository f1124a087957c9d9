"""What a caller does, as the audit notes it."""

from __future__ import annotations

from rollout.domain.access import Caller
from rollout.domain.audit import Act


def act_of(caller: Caller, verb: str, subject: str, at_us: int, *, who: str = "", why: str = "") -> Act:  # noqa: PLR0913
    """Return the act of a caller, in the name of a person where it names one."""
    return Act(at_us, who or caller.name, caller.name, caller.origin, verb, subject, why)
