"""`python -m tests.simulate`: how often every published policy is wrong where it must not be."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rollout.cli.policy_files import policy_in
from tests.simulate.null import LOOKS, Finding, findings, nulls
from tests.simulate.null_page import section, with_section

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "calibration.md"
REPLICATES = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when every policy keeps its promises, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES, help="lives in each world")
    parser.add_argument("--looks", type=int, default=LOOKS, help="about so many looks at a life")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument("--only", help="this policy alone, such as churn; nothing is written")
    parser.add_argument("--write", action="store_true", help="put the section into docs/calibration.md")
    options = parser.parse_args(arguments)
    found: list[Finding] = []
    for file in sorted((ROOT / "policies").glob("*.yaml")):
        if options.only not in {None, file.stem}:
            continue
        policy = policy_in(str(file))
        for null in nulls(policy) if policy.steps else ():
            for one in findings(
                policy, null, replicates=options.replicates, looks=options.looks, processes=options.jobs
            ):
                found.append(one)
                said = f"{one.policy}: {one.world}: {one.question.value} {one.ours}, naive {one.naive}"
                sys.stderr.write(f"{said}, of {one.replicates}\n")
    text = section(found)
    sys.stdout.write(text)
    if options.write and options.only is None:
        PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0 if all(one.is_held for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
