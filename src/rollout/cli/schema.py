"""`rollout schema`: the policy language as a JSON Schema, for editors."""

import click

from rollout.cli.output import print_json
from rollout.cli.root import epilog


@click.command(
    "schema",
    epilog=epilog(
        {
            "rollout schema > policy.schema.json": "beside your policies",
            "# yaml-language-server: $schema=policy.schema.json": "the first line of each policy",
        }
    ),
)
def verb() -> None:
    """Print the policy language as a JSON Schema.

    An editor that reads it completes keys, shows what they mean and marks wrong ones while you type. It knows
    keys and forms; what must fit together, `rollout lint` says.
    """
    from rollout.policyfile.schema import schema

    print_json(schema())
