"""The same question, asked of all raw files with pandas, in its own environment: files in, sums out."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

HALF = 2**20


def answered(asked: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return what `bench.evidence.question` asks."""
    limit_us, watermark_us, skew_us = (asked[name] for name in ("limit_us", "watermark_us", "skew_us"))
    (short_us, short_closes_us), (long_us, long_closes_us) = asked["short"], asked["long"]
    columns = ["unit", "ts_us", "arm", "first_failed", "left", "dur_us", "attempts"]
    rows = pd.read_parquet(asked["exposures"], columns=columns)
    units = rows.groupby("unit").agg(enrolled=("ts_us", "min"), first=("arm", "min"), last=("arm", "max"))
    enrolled = units.loc[units["first"] == units["last"], "enrolled"]
    rows = rows.join(enrolled, on="unit", how="inner")
    rows = rows[rows["ts_us"] < rows["enrolled"] + short_us]
    rows = rows[rows["enrolled"] + short_closes_us <= watermark_us]
    flags = {
        "errors": rows["first_failed"],
        "p99": rows["first_failed"] | rows["left"] | (rows["dur_us"] > limit_us),
        "fallback": rows["attempts"] > 1,
    }
    found = {name: summed(flag.groupby(rows["unit"]).sum()) for name, flag in flags.items()}
    closed = enrolled[enrolled + long_closes_us <= watermark_us]
    told = pd.read_parquet(asked["outcomes"])
    told = told.sort_values(["ts_us", "value_u"]).drop_duplicates(["unit", "metric", "idem_key"])
    told = told.join(closed, on="unit", how="inner")
    since_us = told["ts_us"] - told["enrolled"]
    told = told[(since_us >= -skew_us) & (since_us < long_us)]
    bought = told[(told["metric"] == "bought") & (told["value_u"] > 0)].groupby("unit").size().clip(upper=1)
    revenue = told[told["metric"] == "revenue"].groupby("unit")["value_u"].sum()
    for name, own in (("bought", bought), ("revenue", revenue)):
        found[name] = summed(own.reindex(closed.index, fill_value=0))
    return found


def summed(values: pd.Series) -> tuple[int, ...]:
    """Return units, those that are not zero, the sum and the sum of squares, which may leave 64 bits."""
    numbers = values.astype("int64")
    high, low = numbers // HALF, numbers % HALF
    squares = int((high * high).sum()) * HALF**2 + 2 * int((high * low).sum()) * HALF + int((low * low).sum())
    return len(numbers), int((numbers != 0).sum()), int(numbers.sum()), squares


def main() -> None:
    """Print seconds, the most memory in MiB, and the sums."""
    asked = json.load(sys.stdin)
    began_s = time.perf_counter()
    sums = answered(asked)
    seconds = time.perf_counter() - began_s
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (one for one in status.splitlines() if one.startswith("VmHWM:"))
    print(json.dumps([seconds, int(line.split()[1]) / 1024, sums]))


main()
