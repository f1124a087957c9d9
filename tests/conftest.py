"""What every test shares: where Hypothesis keeps what it learned, and how it runs in CI."""

import os
from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).parent.parent

set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")

# A busy machine must not fail a test: how long an example takes is the benchmarks' business.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if "CI" in os.environ else "here")
