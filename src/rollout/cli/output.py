"""What verbs print: a table for people on a terminal, the same rows for pipes, and JSON for programs."""

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from rollout.cli.usage import OneOf
from rollout.errors import OutputFailed, Problem, printable

if TYPE_CHECKING:
    from rich.console import Console

    from rollout.settings.settings import Color

# Wide enough that a pipe never wraps: what `grep` and `cut` read must not depend on a terminal.
PIPE_COLUMNS = 10_000

output_option = click.option(
    "-o",
    "--output",
    type=OneOf(["text", "json"]),
    help="How to print the table.  [default: the setting `output`]",
)


class OutputClosed(Exception):
    """Nobody reads standard output any more: `head`, say, has seen enough."""


def write(text: str) -> None:
    """Print text as it is, and make sure that it arrived."""
    stream = sys.stdout
    if stream is None:  # started with standard output closed: nobody wants it
        return
    try:
        stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
        stream.flush()
    except OSError as error:
        raise _failure(error) from None


def failure_of_output(error: OSError) -> OutputClosed | OutputFailed | None:
    """Say what is wrong with standard output; nothing when the error came from elsewhere."""
    try:
        sys.stdout.flush()  # what could not be written is still there, and fails again
    except OSError as again:
        if again.errno != error.errno:
            return None
    else:
        return None
    return _failure(error)


def _failure(error: OSError) -> OutputClosed | OutputFailed:
    _discard_rest()
    if error.errno == errno.EPIPE:
        return OutputClosed()
    what = (error.strerror or str(error)).lower()
    return OutputFailed(Problem("standard output", what, "make room, or send the output elsewhere"))


def print_json(value: object) -> None:
    """Print one JSON document."""
    write(json.dumps(value, indent=2, ensure_ascii=not speaks_unicode()) + "\n")


def print_table(
    rows: Sequence[Mapping[str, str]], color: "Color", styles: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Print rows under their keys; a terminal gets a table that fits it, a pipe gets one row on one line.

    `styles` says, for some columns, how a cell with a certain word looks.
    """
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    buffer = io.StringIO()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for name in rows[0] if rows else ():
        table.add_column(name.upper(), overflow="fold", no_wrap=not on_terminal)
    for row in rows:
        styled = [(cell, (styles or {}).get(name, {}).get(cell, "")) for name, cell in row.items()]
        table.add_row(*(Text(printable(cell), style=style) for cell, style in styled))
    _console(buffer, color, on_terminal=on_terminal).print(table)
    write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()))


def wants_color(color: "Color", *, on_terminal: bool) -> bool:
    """Say whether to colour, by the setting, the environment and where the output goes."""
    from rollout.settings.settings import Color

    plain = bool(os.environ.get("NO_COLOR")) or not moves_cursor()
    return color is Color.ALWAYS or (color is Color.AUTO and on_terminal and not plain)


def moves_cursor() -> bool:
    """Say whether the terminal, if there is one, is more than a printer."""
    return os.environ.get("TERM") not in {"dumb", "unknown"}


def _console(buffer: io.StringIO, color: "Color", *, on_terminal: bool) -> "Console":
    from rich.console import Console

    colored = wants_color(color, on_terminal=on_terminal)
    return Console(
        file=buffer,
        force_terminal=colored,
        color_system="standard" if colored else None,
        no_color=not colored,
        width=shutil.get_terminal_size().columns if on_terminal else PIPE_COLUMNS,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )


def speaks_unicode() -> bool:
    """Say whether standard output can carry every sign."""
    return sys.stdout is not None and sys.stdout.encoding.lower().replace("-", "") == "utf8"


def _discard_rest() -> None:
    # What is still buffered would fail again when Python closes the stream, with a message nobody can use.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
