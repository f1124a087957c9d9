"""The page of all verbs, made from the commands themselves."""

import inspect
from collections.abc import Iterator

import click

from rollout.cli.root import rollout

HEAD = """# The command line

`rollout VERB --help` says the same as this page, which is made from the code: `make docs`.
Verbs that print take `--output json`; errors go to standard error, with what to do.
Without a terminal there is no colour, no table is folded, and `--watch` prints one line for each change.

`eval "$(rollout completion bash)"` (or zsh, fish) completes verbs, options and experiments.

| exit code | meaning |
|---|---|
"""
INTERRUPTED = ("130", "interrupted")
CLOSED = ("141", "the reader of standard output left")


def page() -> str:
    """Return the page as Markdown."""
    from rollout.errors import EXIT_CODE_MEANINGS

    codes = [*((str(code.value), meaning) for code, meaning in EXIT_CODE_MEANINGS.items())]
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in (*codes, INTERRUPTED, CLOSED))
    context = click.Context(rollout, info_name="rollout")
    sections = [*verbs(context, rollout)]
    listed = "".join(
        f"- [`{path}`](#{path.replace(' ', '-')}): {command.get_short_help_str(200)}\n"
        for path, command in sections
    )
    told = "\n".join(_section(path, command) for path, command in sections)
    return f"{HEAD}{rows}\n{listed}\n{told}"


def verbs(context: click.Context, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Return every verb under its whole name; what groups verbs is none itself."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        path = f"{context.command_path} {name}"
        if isinstance(command, click.Group):
            yield from verbs(click.Context(command, context, info_name=name), command)
        else:
            yield path, command


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    told = inspect.cleandoc(command.help or "").replace("\b\n", "")
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    options = [row for one in command.get_params(context) if (row := _option(one, context)) is not None]
    table = ["| option | meaning |", "|---|---|", *options, ""] if options else []
    return "\n".join([f"## {path}", "", f"`{usage}`", "", told, "", *table, *examples(command)])


def _option(parameter: click.Parameter, context: click.Context) -> str | None:
    record = parameter.get_help_record(context)
    if record is None or not isinstance(parameter, click.Option) or "--help" in parameter.opts:
        return None
    names, meaning = (" ".join(part.split()) for part in record)
    cell = meaning.replace("|", "\\|")
    return f"| `{names.replace('|', ' or ')}` | {cell} |"


def examples(command: click.Command) -> list[str]:
    """Return the examples of a verb's help, as a block."""
    lines = (command.epilog or "").split("\n\n")[0].splitlines()
    shown = [line.removeprefix("  ") for line in lines if line.startswith("  ")]
    return ["```", *shown, "```", ""] if shown else []
