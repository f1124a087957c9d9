"""Look again and again: a live board on a terminal, one line for each change in a pipe."""

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console
from rich.live import Live

from rollout.cli import words
from rollout.cli.board import board
from rollout.cli.output import moves_cursor, speaks_unicode, wants_color, write
from rollout.errors import ControlPlaneFailed, printable
from rollout.logs import wall_clock

if TYPE_CHECKING:
    from rollout.client.answers import ExperimentAnswer
    from rollout.settings.settings import Color

Runs: TypeAlias = "tuple[ExperimentAnswer, ...]"
Look: TypeAlias = Callable[[], Runs]
Show: TypeAlias = Callable[[Runs, str | None], None]
Goal: TypeAlias = "Callable[[ExperimentAnswer], bool]"

PAUSE_S = 1.0
PATIENCE_S = 60.0


def keep_looking(look: Look, color: "Color", *, as_json: bool, until: "Goal | None") -> None:
    """Show every look until interrupted, or, if there is a goal, until every run has reached it."""
    if as_json or not sys.stdout.isatty() or not moves_cursor():
        _follow(look, Changes(as_json=as_json).show, until)
        return
    plain = not speaks_unicode()
    with Live(console=_screen(color), auto_refresh=False) as live:

        def show(runs: Runs, note: str | None) -> None:
            live.update(board(runs, wall_clock(), plain=plain, note=note), refresh=True)

        _follow(look, show, until)


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


def _follow(look: Look, show: Show, until: "Goal | None") -> None:
    """Look and show; a control plane that was there and is away is waited for, a minute at most."""
    runs = look()
    show(runs, None)
    seen_s = time.monotonic()
    while until is None or not all(map(until, runs)):
        time.sleep(PAUSE_S)
        try:
            runs = look()
        except ControlPlaneFailed as failure:
            if time.monotonic() - seen_s > PATIENCE_S:
                raise
            show(runs, f"this is {words.duration(time.monotonic() - seen_s)} old: {failure}")
        else:
            seen_s = time.monotonic()
            show(runs, None)


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
