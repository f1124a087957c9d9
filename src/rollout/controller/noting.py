"""A part of a tick may fail: what it raised is noted, and the other parts go on."""

from __future__ import annotations

from types import TracebackType


class Noting:
    """Notes what fails and goes on: a defect in one part of a tick must not keep harm from being stopped."""

    def __init__(self, problems: list[Exception]) -> None:
        self._problems = problems

    def __enter__(self) -> None:
        """Begin a part."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        """Note what was raised, unless it ends the process."""
        if isinstance(error, Exception):
            self._problems.append(error)
            return True
        return False
