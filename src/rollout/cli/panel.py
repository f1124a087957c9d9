"""The live view of `status --watch`: as much of every run as fits the terminal, made anew at every look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, OverflowMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rollout.cli import words
from rollout.cli.board import FINDING_STYLES, NOTHING, PHASE_STYLES, headline, is_polled, named, newest
from rollout.errors import printable

if TYPE_CHECKING:
    from rollout.client.answers import ExperimentAnswer, VerdictAnswer
    from rollout.client.waiting import OutlookAnswer, WaitAnswer

WIDE, NARROW = 100, 72
MOST_WAITS = 4
NEEDS_A_PERSON = ("action-failed", "paused", "awaiting-approval", "rolling-back")
BARRED = frozenset({"dwell", "units"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known at one look; the runs' newest decisions are by their uid, the oldest first."""

    runs: "Sequence[ExperimentAnswer]"
    now: datetime
    recent: dict[str, tuple[str, ...]]
    nodes: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What the terminal can show."""

    width: int
    height: int
    is_plain: bool


def view(seen: Seen, frame: Frame) -> RenderableType:
    """Return the whole view: every run in full where they fit, else each on a line, the urgent ones first."""
    foot = [Text(printable(line), style="yellow") for line in (seen.note,) if line is not None]
    if seen.nodes is not None:
        foot.insert(0, Text(printable(seen.nodes), style="dim"))
    if not seen.runs:
        return Group(Text(NOTHING), *foot)
    panels = [_panel(run, seen, frame) for run in seen.runs]
    room = frame.height - len(foot)
    if len(panels) == 1 or sum(rows for rows, _ in panels) <= room:
        return Group(*(panel for _, panel in panels), *foot)
    return Group(*_compact(seen, frame, room), *foot)


def _compact(seen: Seen, frame: Frame, room: int) -> list[RenderableType]:
    urgent = sorted(seen.runs, key=lambda run: (run.phase not in NEEDS_A_PERSON, run.has_ended))
    shown = urgent if len(urgent) < room else urgent[: max(room - 2, 1)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    longest = max(len(run.name) for run in shown)
    least = {"NAME": min(longest, frame.width // 3), "PHASE": min(9, frame.width // 6), "WEIGHT": 11}
    for column in ("NAME", "PHASE", "WEIGHT", "DECISION"):
        overflow: OverflowMethod = "crop" if frame.is_plain else "ellipsis"
        table.add_column(column, no_wrap=True, overflow=overflow, min_width=least.get(column))
    for run in shown:
        table.add_row(
            Text(printable(run.name)),
            Text(run.phase, style=PHASE_STYLES.get(run.phase, "")),
            _bar(run.weight_bp / 10_000, words.weight(run.weight_bp), "cyan", frame, cells=6),
            Text(printable(words.decision(run))),
        )
    left = len(urgent) - len(shown)
    more = [Text(f"and {left:,} more: rollout list", style="dim")] if left else []
    return [table, *more]


def _panel(run: "ExperimentAnswer", seen: Seen, frame: Frame) -> tuple[int, RenderableType]:
    """Return a run in full, and about how many rows it takes."""
    first, *rest = (printable(line) for line in headline(run, seen.now))
    parts: list[RenderableType] = [Text(first, style=PHASE_STYLES.get(run.phase, "bold"))]
    parts += [_traffic(run, frame), *(Text(line) for line in rest)]
    if run.outlook is not None:
        parts += _outlook(run.outlook, seen.now, frame)
    rows = sum(-(-_length(part) // max(frame.width, 1)) or 1 for part in parts)
    look = newest(run)
    if look is not None and look.verdicts:
        parts.append(_table(look.verdicts, frame))
        rows += len(look.verdicts) + 1
    recent = seen.recent.get(run.uid, ())
    parts += [Text(printable(line), style="dim", no_wrap=True, overflow="ellipsis") for line in recent]
    return rows + len(recent) + 1, Padding(Group(*parts), (0, 0, 1, 0))


def _length(part: RenderableType) -> int:
    return part.cell_len if isinstance(part, Text) else 1


def _traffic(run: "ExperimentAnswer", frame: Frame) -> Text:
    """Draw each candidate's share, and where that is on the way up."""
    arrow = " > " if frame.is_plain else " ▸ "
    text = _bar(run.weight_bp / 10_000, words.weight(run.weight_bp), "cyan", frame)
    text.append("  ")
    for number, weight in enumerate(run.step_weights_bp, start=1):
        is_here, named_weight = number == run.step, words.weight(weight)
        text.append(arrow if number > 1 else "")
        text.append(f"[{named_weight}]" if is_here else named_weight, style="bold" if is_here else "dim")
    return Text.assemble("traffic  ", text)


def _outlook(outlook: "OutlookAnswer", now: datetime, frame: Frame) -> list[RenderableType]:
    lines: list[RenderableType] = [_wait(wait, now, frame) for wait in outlook.waits[:MOST_WAITS]]
    if (left := len(outlook.waits) - MOST_WAITS) > 0:
        lines.append(Text(f"waits for {left} more: rollout explain", style="dim"))
    for one in outlook.deadlines:
        said = f"{one.key} stands still" if one.at is None else f"{one.key} ends in {_until(one.at, now)}"
        lines.append(Text(f"{said}, then: {one.then}"))
    if outlook.imbalance is not None:
        lines += [Text(printable(line), style="bold red") for line in outlook.imbalance.sentences]
    return lines


def _wait(wait: "WaitAnswer", now: datetime, frame: Frame) -> Text:
    """Draw what is counted as a bar with the time left, and say the rest."""
    if wait.what not in BARRED or not wait.need:
        return Text(printable(f"waits for  {wait.sentence}"))
    have = wait.have or 0.0
    if wait.unit == "s":
        ends = "" if wait.earliest is None else f", over in {_until(wait.earliest, now)} at the earliest"
        said = f"{words.duration(have)} of {words.duration(wait.need)}{ends}"
    else:
        said = f"{have:,.0f} of {wait.need:,.0f} units in the arm with fewest"
    return Text.assemble("waits for  ", _bar(have / wait.need, said, "blue", frame))


def _until(at: datetime, now: datetime) -> str:
    return words.duration((at - now).total_seconds())


def _table(verdicts: "Sequence[VerdictAnswer]", frame: Frame) -> Table:
    """Return the metrics with as many columns as there is room for."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    columns = ["METRIC", "FINDING", "PROOF", "HARM", "ESTIMATE"]
    if frame.width >= NARROW:
        columns.insert(1, "ROLE")
    if frame.width >= WIDE:
        columns.append("INTERVAL")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="crop" if frame.is_plain else "ellipsis")
    for verdict in verdicts:
        cells = _cells(verdict, frame)
        table.add_row(*(cells[column] for column in columns))
    return table


def _cells(verdict: "VerdictAnswer", frame: Frame) -> dict[str, Text]:
    limit = "" if verdict.limit is None else f"  (limit {words.limit(verdict)})"
    absent = Text(words.ABSENT)
    cells = 12 if frame.width >= WIDE else 6 if frame.width >= NARROW else 0

    def drawn(part: float, style: str) -> Text:
        if is_polled(verdict):
            return absent
        return _bar(part, f"{words.percent(part):>4}", style, frame, cells=cells)

    return {
        "METRIC": Text(printable(named(verdict))),
        "ROLE": Text(verdict.role or "required"),
        "FINDING": Text(verdict.finding, style=FINDING_STYLES.get(verdict.finding, "")),
        "PROOF": drawn(verdict.proof, "green"),
        "HARM": drawn(verdict.harm, "red"),
        "ESTIMATE": Text(words.estimate(verdict)),
        "INTERVAL": Text(f"{words.interval(verdict)}{limit}"),
    }


def _bar(part: float, said: str, style: str, frame: Frame, *, cells: int = 12) -> Text:
    drawn = words.bar(min(max(part, 0.0), 1.0), plain=frame.is_plain, cells=cells)
    return Text.assemble((drawn, style), " " if cells else "", said)
