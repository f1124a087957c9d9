"""Write what a verb was asked to save."""

from pathlib import Path

import click

from rollout.errors import OutputFailed, Problem


def save(name: str, text: str) -> None:
    """Write beside the file and rename, so that it is there whole or not at all."""
    file = Path(name)
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise OutputFailed(Problem(str(file), what, "name a file that can be written")) from None
    click.echo(f"wrote {file}", err=True)
