"""Write what a verb was asked to save."""

from contextlib import suppress
from pathlib import Path

import click

from rollout.errors import OutputFailed, Problem


def save(name: str, text: str) -> None:
    """Write beside the file and rename, so that it is there whole or not at all.

    What is there and no plain file, such as a device, a pipe or a link, is written to and never replaced.
    """
    file = Path(name)
    is_plain = not file.is_symlink() and (file.is_file() or not file.exists())
    target = file.parent / f".{file.name}.new" if is_plain else file
    try:
        target.write_text(text, encoding="utf-8")
        if is_plain:
            target.replace(file)
    except OSError as error:
        if is_plain:
            with suppress(OSError):
                target.unlink(missing_ok=True)
        what = (error.strerror or str(error)).lower()
        raise OutputFailed(Problem(str(file), what, "name a file that can be written")) from None
    click.echo(f"wrote {file}", err=True)
