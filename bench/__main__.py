"""`make bench`: measures, prints the tables, and with --write puts them into the page that shows them."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import scipy

from bench import database, decisions, judge, lint, statistics, traffic
from bench.evidence import costs as evidence
from bench.fast import costs as fast
from bench.fleet import fanout
from bench.harm import measuring as harm
from bench.imports import costs as imports
from bench.outcomes import costs as outcomes
from bench.page import put
from bench.proxy import costs
from bench.records import costs as records
from bench.records import lag
from bench.scale import costs as scale

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Section:
    """One thing that is measured; its name marks its place in the page."""

    takes: str
    lines: Callable[[], list[str]]
    is_quick: bool = True
    """Whether it is measured without being named."""


def sections(plans: Sequence[harm.Plan], drawing: Path | None = None) -> Mapping[str, Section]:
    """Return everything that can be measured, by its name."""
    return {
        "statistics": Section("some seconds", statistics.lines),
        "judge": Section("some seconds", lambda: judge.lines(judge.table())),
        "decisions": Section("some seconds", lambda: decisions.lines(decisions.table())),
        "lint": Section("half a minute", lambda: lint.lines(lint.table())),
        "proxy": Section(f"{costs.Plan().about_s / 60:.0f} minutes", _proxy, is_quick=False),
        "traffic": Section("five minutes", _traffic, is_quick=False),
        "recorder": Section("half a minute", lambda: records.lines_of(records.table())),
        "outcomes": Section("a minute", lambda: outcomes.lines(outcomes.table(outcomes.Plan()))),
        "fast": Section("ten minutes", lambda: fast.lines(fast.table(fast.Plan())), is_quick=False),
        "imports": Section(
            "two minutes", lambda: imports.lines(imports.table(imports.Plan())), is_quick=False
        ),
        "database": Section("some seconds", lambda: database.lines(database.table(database.Plan()))),
        "fleet": Section("half a minute", lambda: fanout.lines(fanout.table(fanout.Plan()))),
        "lag": Section("half a minute", lambda: lag.lines(lag.measured(lag.Plan()))),
        "evidence": Section("five minutes", _evidence, is_quick=False),
        "scale": Section("seven minutes", lambda: scale.lines(scale.table(scale.Plan())), is_quick=False),
        "harm": Section(
            f"{sum(plan.runs for plan in plans)} runs, most about half a minute",
            partial(harm.lines, plans, drawing),
            is_quick=False,
        ),
    }


def main() -> None:
    """Measure what is asked for, and show it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = sections(harm.plans())
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; without any, all that are quick"
    )
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    parser.add_argument("--setting", choices=harm.NAMES, help="of harm: only this one")
    parser.add_argument("--runs", type=int, help="of harm: how often, each setting")
    parser.add_argument("--quiet-s", type=float, default=harm.QUIET_S, help="of harm: quiet before each")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options.write and options.setting is not None:
        parser.error("--write needs every setting of harm")
    plans = harm.plans(options.setting, options.runs, options.quiet_s)
    drawing = PAGE.with_name("harm.svg") if options.write else None
    for name, section in sections(plans, drawing).items():
        if name in options.names or (not options.names and section.is_quick):
            print(f"measuring {name} ({section.takes}) …", flush=True)
            text = "\n".join([_machine(), "", *section.lines()])
            print(f"{text}\n", flush=True)
            if options.write:
                put(PAGE, name, text)


def _traffic() -> list[str]:
    return traffic.lines(traffic.table(traffic.Plan()))


def _evidence() -> list[str]:
    plan = evidence.Plan()
    return evidence.lines(plan, evidence.table(plan))


def _proxy() -> list[str]:
    return costs.lines(costs.table(costs.Plan()))


def _machine() -> str:
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    return f"Measured on {platform.machine()}, {os.cpu_count()} cores, {versions}."


if __name__ == "__main__":
    main()
