"""Print docs/policy.md with its table of keys made anew from the code."""

import sys
from pathlib import Path

from rollout.policyfile.reference import renewed

PAGE = Path(__file__).parent.parent / "docs" / "policy.md"

sys.stdout.write(renewed(PAGE.read_text(encoding="utf-8")))
