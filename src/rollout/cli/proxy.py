"""`rollout proxy`: Envoy and its node on this machine, following a control plane or files."""

import re
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, ProxyAsked, pass_invocation
from rollout.cli.output import write
from rollout.cli.root import epilog
from rollout.errors import Problem, WrongUsage

if TYPE_CHECKING:
    from rollout.agent.alone import Files
    from rollout.policyfile.reading import Reading

WEIGHTS = "weights.yaml"
DRAIN_S = 5.0
LONGEST_NAME = 63


@click.command(
    "proxy",
    epilog=epilog(
        {
            "rollout proxy --control-url http://control:8640 --token-file token": "beside a control plane",
            "rollout proxy --control-url http://a:8640 --control-url http://b:8640": "whichever leads",
            "rollout proxy --policies policies/ --weights weights.yaml": "alone: you say who gets what",
            "rollout proxy --policies first.yaml --sample-models": "alone, with models to try it on",
        }
    ),
)
@click.option(
    "--control-url",
    "--control",
    "control_urls",
    metavar="URL",
    multiple=True,
    help="The control plane; repeated where several stand by.  [default: the setting `control_url`]",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The control plane's token.  [default: the setting `token_file`]",
)
@click.option("--node", "name", metavar="NAME", help="What this node is called.  [default: the host's name]")
@click.option(
    "--policies",
    "policies",
    metavar="PATH",
    multiple=True,
    help="A policy file, or a folder of them: no control plane is asked. May be repeated.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Who gets what, for --policies.  [default: {WEIGHTS} beside the policies]",
)
@click.option("--sample-models", is_flag=True, help="Serve the policies' versions that name this machine.")
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("~/.local/state/rollout-proxy"),
    show_default=True,
    help="The folder that holds all state.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where both ports listen.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8600, show_default=True, help="For applications."
)
@click.option(
    "--agent-port",
    type=click.IntRange(1, 65535),
    default=8650,
    show_default=True,
    help="For outcomes, /healthz and /readyz.",
)
@click.option(
    "--drain",
    "drain_s",
    type=click.FloatRange(0, 3600),
    default=DRAIN_S,
    show_default=True,
    help="Seconds that clients have to leave when this is told to end.",
)
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    control_urls: Sequence[str],
    token_file: Path | None,
    name: str | None,
    policies: Sequence[str],
    weights: Path | None,
    sample_models: bool,  # noqa: FBT001 (the command line passes it by name)
    folder: Path,
    host: str,
    port: int,
    agent_port: int,
    drain_s: float,
) -> None:
    """Run Envoy, configure it, and hand in its records, until interrupted.

    It goes on without its control plane: what it served last is on the disk. On SIGTERM clients are asked to
    leave, the last records are handed in, and the node signs off; a second signal hurries it.
    """
    from rollout.cli.control import read_token
    from rollout.cli.control import token as token_of
    from rollout.cli.terms import terms_in
    from rollout.cli.up import signals

    settings = invocation.settings
    if policies and (control_urls or token_file):
        raise _wrong("--policies needs no control plane", "leave out --control-url and --token-file")
    if not policies and (weights or sample_models):
        raise _wrong("--weights and --sample-models go with --policies", "add --policies")
    token = None
    if not policies:
        token = token_of(settings) if token_file is None else read_token(token_file, may_be_absent=False)
    asked = ProxyAsked(
        *(_name(name), folder.expanduser(), host, port, agent_port),
        control_url=",".join(control_urls) or settings.control_url,
        token=token,
        files=_files(policies, weights) if policies else None,
        terms=terms_in(settings),
    )
    told, hurried = signals()
    with ExitStack() as held:
        if asked.files is not None and sample_models:
            _open_samples(held, asked.files)
        node = held.enter_context(invocation.open_proxy(asked))
        _greet(asked)
        told.wait()
        if drain_s > 0:
            node.drain()
            write(f"draining for {drain_s:g} s; a second signal hurries\n")
            hurried.wait(drain_s)
    write("stopped\n")


def _wrong(what: str, remedy: str) -> WrongUsage:
    return WrongUsage(Problem("rollout proxy", what, remedy))


def _name(given: str | None) -> str:
    from rollout.lake.segments import NODE

    if given is not None and not NODE.fullmatch(given):
        raise _wrong(f"--node cannot be {given!r}", "use 1 to 63 letters, digits and the signs . _ -")
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).lstrip("._-")[:LONGEST_NAME]
    return given or host or "node"


def _files(policies: Sequence[str], weights: Path | None) -> "Files":
    """Return where policies and weights stand; the file of weights is no policy, wherever it lies."""
    from rollout.agent.alone import Files
    from rollout.cli.policy_files import STANDARD_INPUT, files_of, read_all

    if STANDARD_INPUT in policies:
        raise _wrong("--policies cannot be standard input", "name files or folders: they are looked at again")
    first = Path(policies[0])
    chosen = weights or (first if first.is_dir() else first.parent) / WEIGHTS

    def watched() -> list[Path]:
        return [file for file in files_of(policies) if file.resolve() != chosen.resolve()]

    def read() -> "tuple[list[Reading], list[Problem]]":
        named = [str(file) for file in watched()]
        empty = Problem(", ".join(policies), "no policy file is there", "name a file or a folder of policies")
        return read_all(named) if named else ([], [empty])

    return Files(read, watched, chosen)


def _open_samples(held: ExitStack, files: "Files") -> None:
    from rollout.demo.samples import sample_models

    readings, _ = files.read()
    addresses = held.enter_context(
        sample_models([reading.policy for reading in readings if reading.policy is not None])
    )
    write(f"sample models: {', '.join(addresses)}\n" if addresses else "no version names this machine\n")


def _greet(asked: ProxyAsked) -> None:
    write(f"proxy: http://{asked.host}:{asked.port}   what applications call\n")
    scheme = "http" if asked.terms.tls is None else "https"
    write(f"agent: {scheme}://{asked.host}:{asked.agent_port}   outcomes, /healthz, /readyz\n")
    if asked.files is None:
        write(f"node {asked.name} of {asked.control_url}\n")
    else:
        write(f"weights: {asked.files.weights}   such as `NAME: 10%`, `step 2`, `promoted` or `off`\n")
    write("stop with Ctrl-C\n")
