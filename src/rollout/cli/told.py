"""What became of messages, in plain words."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.client.notifications import DeliveryAnswer


def told(deliveries: "Iterable[DeliveryAnswer]") -> "Iterator[str]":
    """Yield one line for each message: to whom, of what, and whether that arrived."""
    return (f"  {one.receiver}: {_plain(one.title)}, {_fate(one)}" for one in deliveries)


def _plain(title: str) -> str:
    """Return a title without the signs that keep chats from acting on it."""
    return title.replace("\u200b", "")


def _fate(one: "DeliveryAnswer") -> str:
    from rollout.cli.words import moment

    ended = "" if one.ended_at is None else f" at {moment(one.ended_at)}"
    match one.state:
        case "sent":
            return f"sent{ended}"
        case "gave-up":
            return f"given up{ended} after {one.tries} tries: {one.problem}"
        case "withdrawn":
            return "not told: it passed before it had lasted"
        case _:
            following = "" if one.next_at is None else f" at {moment(one.next_at)}"
            failed = "" if one.problem is None else f", because {one.problem} (try {one.tries})"
            return f"to be sent{following}{failed}"
