"""What a lake holds, as rows for people and for programs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.lake.inventory import Entry

DAY_S = 86_400


def row(one: "Entry") -> Mapping[str, str]:
    """Return one line of the table of what a lake holds."""
    return {
        "table": one.kind,
        "experiment or metric": one.owner or "(nobody's)",
        "node": one.node,
        "day": _day(one.day),
        "files": f"{one.files:,}",
        "rows": f"{one.rows:,}",
        "bytes": f"{one.bytes:,}",
        "from": _moment(one.first_us),
        "to": _moment(one.last_us),
    }


def entry(one: "Entry") -> Mapping[str, object]:
    """Return one line for programs."""
    return {
        "table": one.kind,
        "owner": one.owner,
        "node": one.node,
        "day": _day(one.day),
        "files": one.files,
        "rows": one.rows,
        "bytes": one.bytes,
        "first_us": one.first_us,
        "last_us": one.last_us,
    }


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_S, tz=UTC).date().isoformat()


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).time().isoformat()
