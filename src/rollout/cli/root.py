"""The group on which every verb hangs, and how its help is laid out."""

from collections.abc import Mapping
from importlib import import_module

import click

from rollout.cli.invocation import Invocation
from rollout.errors import EXIT_CODE_MEANINGS

# Found when asked for: a verb's module is read only when it runs or is listed. Of a family of verbs each is
# named behind a colon; a verb alone is called `verb`.
VERBS: Mapping[str, str] = {
    "advance": "rollout.cli.advance:advance",
    "approve": "rollout.cli.advance:approve",
    "assign": "rollout.cli.assign",
    "audit": "rollout.cli.audit",
    "completion": "rollout.cli.completion",
    "control": "rollout.cli.controlling",
    "demo": "rollout.cli.demo",
    "diff": "rollout.cli.diff",
    "evidence": "rollout.cli.evidence",
    "explain": "rollout.cli.explain",
    "lake": "rollout.cli.lake",
    "lint": "rollout.cli.lint",
    "list": "rollout.cli.listing",
    "nodes": "rollout.cli.nodes",
    "notify": "rollout.cli.notify",
    "outcomes": "rollout.cli.outcomes",
    "pause": "rollout.cli.pause:pause",
    "plan": "rollout.cli.plan",
    "promote": "rollout.cli.advance:promote",
    "proxy": "rollout.cli.proxy",
    "replay": "rollout.cli.replay",
    "report": "rollout.cli.report",
    "resume": "rollout.cli.pause:resume",
    "retire": "rollout.cli.ending:retire",
    "retry": "rollout.cli.ending:retry",
    "rollback": "rollout.cli.ending:rollback",
    "schema": "rollout.cli.schema",
    "settings": "rollout.cli.settings",
    "simulate": "rollout.cli.simulate",
    "start": "rollout.cli.start",
    "status": "rollout.cli.status",
    "stop": "rollout.cli.ending:stop",
    "token": "rollout.cli.tokens",
    "up": "rollout.cli.up",
    "version": "rollout.cli.version",
    "wait": "rollout.cli.wait",
}


def epilog(examples: Mapping[str, str]) -> str:
    """Lay out what stands below the options: examples that can be pasted, and the exit codes."""
    width = max(len(command) for command in examples)
    lines = [f"  {command:<{width}}  {meaning}" for command, meaning in examples.items()]
    codes = [f"  {code.value}  {meaning}" for code, meaning in EXIT_CODE_MEANINGS.items()]
    return "\n".join(["\b", "Examples:", *lines, "", "\b", "Exit codes:", *codes])


class Group(click.Group):
    """A group that lists each verb with its first sentence, whole."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=80)) for name, command in commands if command]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


class Verbs(Group):
    """A group whose verbs are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the verbs, built-in and added."""
        return sorted({*VERBS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb; nothing when there is none of this name."""
        if cmd_name not in VERBS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = VERBS[cmd_name].partition(":")
        command = getattr(import_module(module), attribute or "verb")
        assert isinstance(command, click.Command)  # noqa: S101 (ours: `VERBS` says what each is called)
        return command


def _print_version(context: click.Context, _option: click.Parameter, wanted: object) -> None:
    if wanted:
        from rollout import __version__
        from rollout.cli.output import write

        write(f"rollout {__version__}\n")
        context.exit()


@click.group(
    name="rollout",
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog(
        {
            "rollout demo": "the whole chain in about two minutes",
            "rollout up": "proxy and control plane on this machine",
            "rollout lint policies/": "every mistake in policy files",
            "rollout settings": "what can be set, what it is now, and why",
            "rollout version --output json": "what to name in a report of a defect",
            "rollout settings --help": "help for one verb",
        }
    ),
)
@click.option(
    "--settings",
    "settings_file",
    metavar="FILE",
    help="Read settings from this TOML file.  [default: the variable ROLLOUT_SETTINGS_FILE]",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
@click.pass_context
def rollout(context: click.Context, settings_file: str | None) -> None:
    """Decide whether a new version of a model may replace the old one.

    A policy file says what must hold; statistics that may be looked at any time say whether it does.
    """
    if settings_file is not None:
        context.ensure_object(Invocation).options["settings_file"] = settings_file
    if context.invoked_subcommand is None:
        from rollout.cli.output import write

        write(context.get_help() + "\n")
