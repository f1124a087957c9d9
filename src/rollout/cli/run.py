"""Run one command line and word everything that can go wrong; no traceback reaches a user."""

import os
from collections.abc import Sequence

import click

from rollout.cli.invocation import ControlOpener, HouseOpener, Invocation, ProxyOpener
from rollout.cli.output import OutputClosed, failure_of_output
from rollout.cli.root import rollout
from rollout.cli.usage import worded
from rollout.errors import ExitCode, RolloutError

PROGRAM = "rollout"
COMPLETION_VARIABLE = "_ROLLOUT_COMPLETE"
INTERRUPTED = 130  # 128 + SIGINT, as shells word it
OUTPUT_CLOSED = 141  # 128 + SIGPIPE


def run(
    arguments: Sequence[str],
    open_house: HouseOpener | None = None,
    open_proxy: ProxyOpener | None = None,
    open_control: ControlOpener | None = None,
) -> int:
    """Run `rollout` with these arguments and return its exit code."""
    completing = os.environ.get(COMPLETION_VARIABLE)
    if completing:
        from click.shell_completion import shell_complete

        return shell_complete(rollout, {}, PROGRAM, COMPLETION_VARIABLE, completing)
    invocation = Invocation(open_house, open_proxy, open_control)
    try:
        return _run(list(arguments), invocation)
    except OutputClosed:
        return OUTPUT_CLOSED
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except RolloutError as error:
        return _complain(error)
    except Exception as error:  # noqa: BLE001 (the last door: whatever it is, a user gets a sentence)
        from rollout.cli.details import recorded

        return _complain(recorded(error, invocation))


def _run(arguments: list[str], invocation: Invocation) -> int:
    try:
        with rollout.make_context(PROGRAM, arguments, obj=invocation) as context:
            code = rollout.invoke(context)
            return code if isinstance(code, int) else ExitCode.FINE
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        raise worded(error) from None
    except OSError as error:  # the library printed a help page, and nobody could take it
        raise (failure_of_output(error) or error) from None


def _complain(error: RolloutError) -> int:
    click.echo(str(error), err=True)
    return error.exit_code
