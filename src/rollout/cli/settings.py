"""`rollout settings`: what can be set, what it is now and where that came from; also their reference page."""

from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import print_json, print_table, write
from rollout.cli.root import epilog
from rollout.cli.usage import OneOf

if TYPE_CHECKING:
    from rollout.settings.reading import Loaded
    from rollout.settings.settings import Settings

REFERENCE_HEADER = """\
# Settings

Every setting of `rollout`, made from the code by `make docs`. `rollout settings` shows what each is now
and where that came from.

A command-line option wins over the environment, the environment over the settings file, the file over the
default. An empty variable counts as not set. An unknown variable that begins with `ROLLOUT_`, or an unknown
key, is refused with its nearest match (variables that Kubernetes makes for a Service named `rollout` are let
through).

A settings file is TOML, for example `log_level = "info"`; name it with `rollout --settings FILE` or
`ROLLOUT_SETTINGS_FILE`.

| name | variable | default | choices | meaning |
|---|---|---|---|---|
"""


def described(loaded: "Loaded[Settings]") -> list[dict[str, str | None]]:
    """Return every setting with its present value, its source and its meaning; secrets are hidden."""
    from rollout.settings.reading import is_secret, variable
    from rollout.settings.settings import HIDDEN

    kind = type(loaded.values)
    rows: list[dict[str, str | None]] = []
    for name, field in kind.model_fields.items():
        value = getattr(loaded.values, name)
        shown = None if value is None or value == {} else HIDDEN if is_secret(kind, name) else _said(value)
        rows.append(
            {
                "name": name,
                "value": shown,
                "source": loaded.sources[name].value,
                "variable": variable(name),
                "description": field.description,
            }
        )
    return rows


def reference(kind: "type[Settings]") -> str:
    """Return the page that documents every setting; it depends on the code only."""
    from rollout.settings.reading import variable

    lines = []
    for name, field in kind.model_fields.items():
        has_default = field.default_factory is None and field.default is not None
        default = f"`{field.default}`" if has_default else ""
        options = ", ".join(f"`{choice}`" for choice in _choices(field.annotation))
        lines.append(f"| `{name}` | `{variable(name)}` | {default} | {options} | {field.description} |\n")
    return REFERENCE_HEADER + "".join(lines)


def _said(value: object) -> str:
    """Return a value as people write it; names come with what they mean."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={meaning}" for name, meaning in value.items())
    return str(value)


def _choices(annotation: object) -> list[str]:
    from enum import StrEnum

    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [choice.value for choice in annotation]
    return []


@click.command(
    "settings",
    epilog=epilog(
        {
            "rollout settings": "every setting, its value and its source",
            "rollout settings --output json": "the same for programs",
            "ROLLOUT_LOG_LEVEL=info rollout settings": "set one for one run",
            "rollout --settings team.toml settings": "check a settings file",
        }
    ),
)
@click.option(
    "-o",
    "--output",
    type=OneOf(["text", "json", "markdown"]),
    help="How to print; `markdown` is the reference page, without values.  [default: the setting `output`]",
)
@pass_invocation
def verb(invocation: Invocation, output: str | None) -> None:
    """Show every setting, its value and where it came from.

    It also checks them: a setting that cannot be used is named with what to do, and the exit code is 2.
    """
    if output == "markdown":
        from rollout.settings.settings import Settings

        write(reference(Settings))
        return
    rows = described(invocation.loaded)
    if (output or invocation.settings.output) == "json":
        print_json({"settings": rows})
        return
    columns = ("name", "value", "source", "description")
    print_table(
        [{column: row[column] or "-" for column in columns} for row in rows], invocation.settings.color
    )
