"""The table of events in `docs/notifications.md`, made from the reasons."""

from __future__ import annotations

from typing import Final

from rollout.domain.policy import Event
from rollout.domain.telling import TELLINGS

BEGIN: Final = "<!-- events: written by make docs -->\n"
END: Final = "<!-- end of events -->\n"
HEADER: Final = "| event | what is told | when |\n|---|---|---|\n"


def table() -> str:
    """Return one row for each reason that is told of, event by event."""
    told = [(reason, telling) for reason, telling in TELLINGS.items() if telling is not None]
    rows = [
        f"| `{event.value}` | {reason.meaning} | {_when(telling.lasts_us)} |\n"
        for event in Event
        for reason, telling in told
        if telling.event is event
    ]
    return HEADER + "".join(rows)


def renewed(page: str) -> str:
    """Return the page with the table of today between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _when(lasts_us: int) -> str:
    minutes = lasts_us // 60_000_000
    return "at once" if minutes == 0 else f"after {minutes} minute{'s' if minutes > 1 else ''}"
