"""Print docs/cli.md: every verb with its options and examples."""

import sys

from rollout.cli.page import page

sys.stdout.write(page())
