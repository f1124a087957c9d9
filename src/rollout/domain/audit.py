"""What was done, by whom and why: one line of the audit, which is only ever added to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person, a program or the controller did."""

    at_us: int
    who: str
    """The person, or whoever else asked for it; the controller for what it decides by itself."""
    token: str | None
    """The name of the token that was shown; none where nothing was shown, as for the controller itself."""
    origin: str | None
    """From which address, where there is one."""
    verb: str
    subject: str
    """The policy, the token or whatever else it was done to."""
    why: str = ""
