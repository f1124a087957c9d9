"""Files of outcomes for tests: written down, and read with the door's own checks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from rollout.api.access import application_of
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.outcomes import outcomes_router
from rollout.client.connection import Connection
from rollout.client.outcomes import OutcomesDoor
from rollout.outcomefile.columns import Asked
from rollout.outcomefile.findings import Findings
from rollout.outcomefile.reading import Standard
from rollout.outcomefile.source import form_of
from rollout.outcomefile.whole import checking, found_in
from tests.api.doomed import METRICS, NOW_US, door
from tests.api.serving import TOKEN, serving
from tests.lake.histories import BEGIN_US

ROW: Final = {"unit": "ada", "metric": "bought", "ts_us": BEGIN_US, "value": 1, "key": "order 7"}
STANDARD: Final = Standard(METRICS, lambda: NOW_US)


def checked(
    file: Path, asked: Asked | None = None, *, standard: Standard = STANDARD, rejects: Path | None = None
) -> Findings:
    """Return what `rollout outcomes validate` finds in a file."""
    named = (str(file), form_of(str(file), None))
    kept = None if rejects is None else str(rejects)
    return found_in(named, asked or Asked(), checking(standard), rejects=kept)


def written(folder: Path, content: bytes | str, name: str = "told.csv") -> Path:
    """Return a file with this content."""
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows as CSV, quoted where needed."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_parquet(file: Path, select: str) -> Path:
    """Write what a query says as Parquet."""
    duckdb.connect().execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")
    return file


def whys(found: Findings) -> list[tuple[int, str]]:
    """Return each problem with its line."""
    return [(one.line, one.why) for one in found.wrong]


@contextmanager
def served(folder: Path, *, per_s: float = 1e6, burst: float = 1e6) -> Iterator[str]:
    """Serve a real door whose spool is in this folder; yields its address."""
    entrance = door(folder, per_s=per_s, burst=burst)
    try:
        with serving(create_app([outcomes_router(entrance, application_of([TOKEN], Applications()))])) as url:
            yield url
    finally:
        entrance.spool.close()


def told_to(url: str, **options: object) -> OutcomesDoor:
    """Return a caller of a door."""
    return OutcomesDoor(Connection(url, token=TOKEN, **options))  # type: ignore[arg-type]


def spooled(folder: Path) -> list[dict[str, int | str]]:
    """Return what a door acknowledged."""
    return [json.loads(line) for line in (folder / "outcomes.jsonl").read_text().splitlines()]
