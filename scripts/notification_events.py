"""Print docs/notifications.md with its table of events made anew from the code."""

import sys
from pathlib import Path

from rollout.notify.reference import renewed

PAGE = Path(__file__).parent.parent / "docs" / "notifications.md"

sys.stdout.write(renewed(PAGE.read_text(encoding="utf-8")))
