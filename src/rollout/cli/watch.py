"""Look again and again: a live view on a terminal, one line for each change in a pipe."""

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console, RenderableType
from rich.live import Live

from rollout.cli import words
from rollout.cli.output import moves_cursor, speaks_unicode, wants_color, write
from rollout.cli.panel import Frame, Seen, view
from rollout.errors import ControlPlaneFailed, RequestRefused, printable
from rollout.logs import wall_clock

if TYPE_CHECKING:
    from rollout.client.answers import EntryAnswer, ExperimentAnswer
    from rollout.client.nodes import NodesAnswer
    from rollout.settings.settings import Color

Runs: TypeAlias = "tuple[ExperimentAnswer, ...]"
Look: TypeAlias = Callable[[], Runs]
Show: TypeAlias = Callable[[Runs, str | None], None]
Goal: TypeAlias = "Callable[[ExperimentAnswer], bool]"
Nodes: TypeAlias = "Callable[[], NodesAnswer]"
Past: TypeAlias = "Callable[[ExperimentAnswer], tuple[EntryAnswer, ...]]"

PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0
PATIENCE_S = 60.0
"""How long a control plane that went away is waited for where nobody sees that it is."""
NODES_EVERY = 10
RECENT = 5


def keep_looking(  # noqa: PLR0913 (each is one thing that a view is made of)
    look: Look,
    color: "Color",
    *,
    as_json: bool,
    until: "Goal | None",
    nodes: "Nodes | None" = None,
    past: "Past | None" = None,
) -> None:
    """Show every look until interrupted, or, if there is a goal, until every run has reached it."""
    if as_json or not sys.stdout.isatty() or not moves_cursor():
        _follow(look, Changes(as_json=as_json).show, until, PATIENCE_S)
        return
    console = _screen(color)
    shown = Shown(nodes, past, is_plain=not speaks_unicode())
    try:
        # On a screen of its own: what was printed before never wraps anew when the window is resized.
        with Live(console=console, auto_refresh=False, screen=True) as live:

            def show(runs: Runs, note: str | None) -> None:
                shown.take(runs, note)
                live.update(shown.now(console), refresh=True)

            _follow(look, show, until, None)
    finally:
        if shown.runs is not None:
            console.print(shown.now(console))


def _screen(color: "Color") -> Console:
    """Return the terminal, as wide as it is at each look."""
    return Console(
        force_terminal=True,
        color_system="auto" if wants_color(color, on_terminal=True) else None,
        markup=False,
        highlight=False,
        emoji=False,
    )


def has_ended(run: "ExperimentAnswer") -> bool:
    """Return whether nothing more happens to a run."""
    return run.has_ended


def _follow(look: Look, show: Show, until: "Goal | None", patience_s: float | None) -> None:
    """Look and show; a control plane that was there and is away is waited for, with growing pauses."""
    runs = look()
    show(runs, None)
    seen_s, pause_s = time.monotonic(), PAUSE_S
    while until is None or not all(map(until, runs)):
        time.sleep(pause_s)
        try:
            runs = look()
        except ControlPlaneFailed as failure:
            away_s = time.monotonic() - seen_s
            if patience_s is not None and away_s > patience_s:
                raise
            pause_s = min(pause_s + PAUSE_S, LONGEST_PAUSE_S)
            show(runs, f"this is {words.duration(away_s)} old: {failure}")
        else:
            seen_s, pause_s = time.monotonic(), PAUSE_S
            show(runs, None)


class Shown:
    """What a live view knows: the newest runs, their newest decisions, and how the nodes stand."""

    def __init__(self, nodes: "Nodes | None", past: "Past | None", *, is_plain: bool) -> None:
        self._ask_nodes, self._past, self._is_plain = nodes, past, is_plain
        self._recent: dict[str, deque[tuple[int, str]]] = {}
        self._nodes: str | None = None
        self._note: str | None = None
        self._looks = 0
        self.runs: Runs | None = None

    def take(self, runs: Runs, note: str | None) -> None:
        """Take in a look; one in ten asks for the nodes too, and none while nobody answers."""
        self.runs, self._note = runs, note
        if note is not None:
            return
        for run in runs:
            self._remember(run)
        if self._ask_nodes is not None and self._looks % NODES_EVERY == 0:
            try:
                self._nodes = _standing(self._ask_nodes())
            except (ControlPlaneFailed, RequestRefused):
                self._nodes = None
        self._looks += 1

    def now(self, console: Console) -> RenderableType:
        """Return the view for the terminal as it is now."""
        recent = {uid: tuple(line for _, line in lines) for uid, lines in self._recent.items()}
        seen = Seen(self.runs or (), wall_clock(), recent, self._nodes, self._note)
        return view(seen, Frame(console.width, console.height, self._is_plain))

    def _remember(self, run: "ExperimentAnswer") -> None:
        """Keep a run's newest decisions; those from before the first look are asked for once."""
        if run.decision is None:
            return
        known = self._recent.get(run.uid)
        if known is None:
            known = self._recent[run.uid] = deque(maxlen=RECENT)
            if self._past is not None:
                known.extend((one.number, words.entry_line(one)) for one in self._past(run)[-RECENT:])
        if not known or known[-1][0] < run.decision.number:
            found = run.decision
            line = f"{words.moment(found.at)}  {found.action}: {words.reason(found)}"
            if known and known[-1][1].partition("  ")[2] == line.partition("  ")[2]:
                return
            known.append((found.number, line))


def _standing(found: "NodesAnswer") -> str:
    """Say how the nodes stand in one line; those that are in the way by name."""
    cut = [node.name for node in found.nodes if node.is_silent]
    behind = [node.name for node in found.nodes if not node.is_silent and not node.is_live]
    live = len(found.nodes) - len(cut) - len(behind)
    parts = [f"{live} live"]
    parts += [f"cut off: {', '.join(cut)}"] if cut else []
    parts += [f"behind: {', '.join(behind)}"] if behind else []
    return f"nodes: {'; '.join(parts)}"


class Changes:
    """Prints what changed since the last look: one line for each run that moved."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._seen: dict[str, tuple[object, ...]] = {}

    def show(self, runs: Runs, note: str | None) -> None:
        """Print the runs that differ from what was printed last; a note is no change of a run."""
        if note is not None:
            return
        for run in runs:
            found = run.decision
            now = (run.uid, run.phase, run.step, found and (found.reason, found.metric, found.candidate))
            if self._seen.get(run.name) != now:
                self._seen[run.name] = now
                write(f"{self._line(run)}\n")

    def _line(self, run: "ExperimentAnswer") -> str:
        if self._as_json:
            return json.dumps(run.model_dump(mode="json"), ensure_ascii=not speaks_unicode())
        return printable(words.standing(run))
