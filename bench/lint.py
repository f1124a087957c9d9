"""What checking policies costs: 1,000 of them linted, beside the bare YAML library on the same texts."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ruamel.yaml import YAML

from bench import timing
from rollout.policyfile.collisions import collisions
from rollout.policyfile.reading import Reading, read

COUNT = 1_000
SAMPLE = 28
"""So many are read in one turn; each example as often as the others."""
POLICIES = Path(__file__).parents[1] / "policies"


@dataclass(frozen=True, slots=True)
class Row:
    """One contender: milliseconds for each policy."""

    name: str
    milliseconds: float


def texts(count: int) -> list[str]:
    """Return so many policies, the examples in turn, each with a name, route, salt and layer of its own."""
    examples = [file.read_text(encoding="utf-8") for file in sorted(POLICIES.glob("*.yaml"))]
    return [_renamed(examples[number % len(examples)], number) for number in range(count)]


def _renamed(text: str, number: int) -> str:
    renamed = re.sub(r"(name: )", rf"\g<1>p{number}-", text, count=1)
    rerouted = re.sub(r"(path: /[a-z/]+)", rf"\g<1>-{number}", renamed, count=1)
    salted = re.sub(r"(salt: )", rf"\g<1>s{number}-", rerouted, count=1)
    return re.sub(r"(layer: \{name: )", rf"\g<1>l{number}-", salted, count=1)


def table() -> list[Row]:
    """Measure reading in turns, and the command once over a folder of 1,000."""
    sample = texts(SAMPLE)
    calls: dict[str, Callable[[], object]] = {
        "rollout: read, checked and compared with its neighbours": lambda: _lint(sample),
        "ruamel.yaml, values made (`typ='safe'`, as it comes)": lambda: _values(sample),
        "ruamel.yaml, events only (`typ='safe'`, as it comes)": lambda: _events(sample),
    }
    rows = [Row(name, seconds / SAMPLE * 1e3) for name, seconds in timing.fastest(calls).items()]
    return [*rows, Row("`rollout lint` of a folder of 1,000, the whole command", _command() / COUNT * 1e3)]


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, each figure beside its ratio to the bare library."""
    bare = next(row for row in rows if "values made" in row.name)
    return [
        "| a policy | each | 1,000 | ratio to bare YAML |",
        "|---|---:|---:|---:|",
        *(
            f"| {row.name} | {row.milliseconds:.2f} ms | {row.milliseconds * COUNT / 1e3:.1f} s "
            f"| {row.milliseconds / bare.milliseconds:.2f} |"
            for row in rows
        ),
    ]


def _lint(policies: Sequence[str]) -> None:
    readings = [read(text, f"{number}.yaml") for number, text in enumerate(policies)]
    _require_clean(readings)


def _require_clean(readings: Sequence[Reading]) -> None:
    if any(reading.policy is None for reading in readings) or collisions(readings):
        raise RuntimeError("a policy of the benchmark does not lint clean")


def _values(policies: Sequence[str]) -> None:
    for text in policies:
        YAML(typ="safe", pure=True).load(text)


def _events(policies: Sequence[str]) -> None:
    for text in policies:
        for _ in YAML(typ="safe", pure=True).parse(text):
            pass


def _command() -> float:
    """Return the seconds of one command over 1,000 files."""
    with TemporaryDirectory() as folder:
        for number, text in enumerate(texts(COUNT)):
            (Path(folder) / f"{number:04}.yaml").write_text(text, encoding="utf-8")
        start = time.perf_counter()
        asked = [sys.executable, "-m", "rollout", "lint", folder]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=False)
        took_s = time.perf_counter() - start
    if done.returncode or not done.stdout.endswith("1000 files: no errors, no warnings\n"):
        raise RuntimeError(done.stdout[-500:] + done.stderr[-500:])
    return took_s


if __name__ == "__main__":
    print("\n".join(lines(table())))
