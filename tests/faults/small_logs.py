"""The command, but its recorders rotate logs hundreds of times as often."""

from __future__ import annotations

from rollout.__main__ import main
from rollout.agent import recorder

ROTATED_AT = 2**18


if __name__ == "__main__":
    setattr(recorder, "LARGEST_FILE", ROTATED_AT)  # noqa: B010 (a constant, for everybody but a test)
    main()
