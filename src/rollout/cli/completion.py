"""`rollout completion`: the script that lets a shell complete verbs, options and choices."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from rollout.cli.output import write
from rollout.cli.root import epilog, rollout
from rollout.cli.usage import OneOf

VARIABLE = "_ROLLOUT_COMPLETE"


class BashScript(BashComplete):
    """Bash's script without a look at the bash of this machine, which may not be the one that reads it."""

    @staticmethod
    def _check_version() -> None:
        return


SHELLS: dict[str, type[ShellComplete]] = {"bash": BashScript, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    "completion",
    epilog=epilog(
        {
            'eval "$(rollout completion bash)"': "in ~/.bashrc",
            'eval "$(rollout completion zsh)"': "in ~/.zshrc, after compinit",
            "rollout completion fish | source": "in ~/.config/fish/config.fish",
        }
    ),
)
@click.argument("shell", metavar="SHELL", type=OneOf(SHELLS))
def verb(shell: str) -> None:
    """Print the script that completes words in a shell.

    SHELL is bash (4.4 or newer), zsh or fish.
    """
    write(SHELLS[shell](rollout, {}, "rollout", VARIABLE).source() + "\n")
