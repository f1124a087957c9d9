"""How far a long piece of work is, on a terminal; elsewhere nothing is said."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.settings.settings import Color


@contextmanager
def progress(
    doing: str, color: "Color", *, in_bytes: bool = False
) -> "Iterator[Callable[[int, int | None], object]]":
    """Show on a terminal how far it is; elsewhere say nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

    from rollout.cli.output import moves_cursor, wants_color

    console = Console(stderr=True)
    if not (console.is_terminal and moves_cursor()):
        yield lambda _done, _all: None
        return
    console.no_color = not wants_color(color, on_terminal=True)
    counted = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn(doing, markup=False), BarColumn(), counted)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, all_: bar.update(task, completed=done, total=all_)
