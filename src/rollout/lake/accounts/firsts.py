"""What raw requests are needed for, summed up before they expire: each unit's row, as of one moment.

A file says of one run what every unit had done before its horizon. Requests before it are not read again, so
they may be deleted; one that is handed in later still is too late to count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from rollout.domain.records import Run
from rollout.errors import Problem, Retry
from rollout.lake import segments
from rollout.lake.accounts.accounts import Accounts
from rollout.lake.accounts.asked import Asked
from rollout.lake.engine import write_columns
from rollout.stats.arrays import IntArray

FOLDER: Final = "firsts"
_KEPT: Final = 2
"""The newest, and the one that a reader may have begun with."""
_SIGN: Final = "~"


@dataclass(frozen=True, slots=True)
class Firsts:
    """One run's units before a horizon."""

    horizon_us: int
    rows: dict[str, IntArray]


def newest(engine: duckdb.DuckDBPyConnection, lake: Path, asked: Asked) -> Firsts | None:
    """Return what was summed up last of a run; raises `Retry` when it does not answer what is asked."""
    files = _files(lake, asked.run, asked.since_us)
    if not files:
        return None
    found = engine.execute("SELECT * FROM read_parquet($path)", {"path": str(files[-1])}).fetchnumpy()
    rows = {name: np.asarray(column, dtype=np.int64) for name, column in found.items()}
    lacking = [name for name in Accounts(replace(asked, told=())).rows() if name not in rows]
    if lacking:
        what = f"does not hold {', '.join(lacking)}, and older requests may have expired"
        raise Retry(Problem(files[-1].name, what, "start a new revision"))
    return Firsts(_horizon_us(files[-1]), rows)


def write(engine: duckdb.DuckDBPyConnection, lake: Path, accounts: Accounts, horizon_us: int) -> None:
    """Write a run's rows as of a horizon; of older files one is kept for who reads it now."""
    run, since_us = accounts.asked.run, accounts.asked.since_us
    within = lake / FOLDER
    within.mkdir(parents=True, exist_ok=True)
    name = _SIGN.join([run.experiment, str(run.revision), str(since_us), f"{horizon_us:020d}"])
    target = within / f"{name}.parquet"
    unfinished = within / f"{name}{segments.UNFINISHED}"
    write_columns(engine, {"columns": dict(accounts.rows())}, "SELECT * FROM columns", unfinished)
    segments.publish(unfinished, target)
    for old in _files(lake, run, since_us)[:-_KEPT]:
        old.unlink()


def _files(lake: Path, run: Run, since_us: int) -> list[Path]:
    """Return a run's files, the oldest horizon first."""
    name = _SIGN.join([run.experiment, str(run.revision), str(since_us)])
    return sorted((lake / FOLDER).glob(f"{name}{_SIGN}*.parquet"))


def _horizon_us(path: Path) -> int:
    return int(path.stem.rpartition(_SIGN)[2])
