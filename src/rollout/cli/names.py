"""The argument that names an experiment; a shell completes it from the control plane, if that is near."""

import click
from click.shell_completion import CompletionItem

WITHIN_S = 1.0


def offered(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Return the experiments whose name begins so; none when nobody answers, for a shell shows no errors."""
    from rollout.cli.control import connection
    from rollout.cli.invocation import Invocation
    from rollout.client.connection import Patience
    from rollout.client.control_plane import ControlPlane
    from rollout.errors import RolloutError

    try:
        settings = Invocation().settings
        near = settings.model_copy(update={"control_timeout_s": min(settings.control_timeout_s, WITHIN_S)})
        with ControlPlane(connection(near, Patience(tries=1))) as control:
            runs = control.experiments()
    except RolloutError:
        return []
    return [CompletionItem(run.name, help=run.phase) for run in runs if run.name.startswith(begun)]


experiment_name = click.argument("name", metavar="NAME", shell_complete=offered)
