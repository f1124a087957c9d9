"""How a stage is opened: its processes, its disks and its clock, and the policy that runs on it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.domain.assignment import CONTROL, Leaf, Placement, Split, assign, leaf_name
from rollout.policyfile.reading import read_bytes
from tests.command import environment
from tests.e2e.models import free_port, serving
from tests.faults.checking import Seat
from tests.faults.clock import Clock, NoClock
from tests.faults.disk import NoDisk, small_disk
from tests.faults.processes import MARK, Program, end_all
from tests.faults.stage import BASELINE, CONTROL_DATA, NAME, NODE_DATA, Need, Ports, Stage, url_of
from tests.faults.wire import Wire

SWITCH_S: Final = 0.0005
NODE: Final = "edge"
DISK_MB: Final = 192
COMMAND: Final = (sys.executable, "-m", "tests.faults.small_logs")
POLICY: Final = """\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {name}, owner: tests}}
spec:
  route: {{path: /{name}}}
  baseline: {{version: "1", url: "{baseline}"}}
  candidate: {{version: "2", url: "{candidate}"}}
  assignment: {{unit: "header:x-user-id"}}
  resilience: {{timeout: 5s, perTryTimeout: 1s, fallback: baseline, maxFallback: 99%}}
  expect: {{converted: 20%}}
  metrics:
    - {{name: converted, role: primary, source: outcomes, type: binary, direction: increase, minEffect: 50%,
        window: 3s}}
  steps:
    - {{setWeight: 40%, hold: {{until: verdict, atMost: 14d}}}}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 12h, then: pause}}}}
"""


def missing(needs: Collection[Need]) -> Mapping[Need, str]:
    """Return which of these this machine has not, and why."""
    found = {}
    with TemporaryDirectory(prefix="rollout-faults-") as folder:
        for need in needs:
            try:
                match need:
                    case Need.CLOCK:
                        Clock(Path(folder)).close()
                    case Need.DISK:
                        with small_disk(Path(folder) / NODE_DATA, 1):
                            pass
            except (NoClock, NoDisk) as error:
                found[need] = str(error)
    return found


def begun(held: ExitStack) -> tuple[Path, str, dict[str, str]]:
    """Return a folder, the mark by which every process of it is known, and the environment that bears it."""
    # Users call from threads beside ours, which must not wait 5 ms for their turn after each look.
    held.callback(sys.setswitchinterval, sys.getswitchinterval())
    sys.setswitchinterval(SWITCH_S)
    made = TemporaryDirectory(prefix="rollout-faults-", ignore_cleanup_errors=True)
    folder, mark = Path(held.enter_context(made)), secrets.token_hex(8)
    return folder, mark, environment(folder, **{MARK: mark})


@contextmanager
def opened(needs: Collection[Need]) -> Iterator[Stage]:
    """Open a house with one experiment; nothing of it is left at the end."""
    with ExitStack() as held:
        folder, mark, surroundings = begun(held)
        clock = held.enter_context(closing(Clock(folder))) if Need.CLOCK in needs else None
        for name in (CONTROL_DATA, NODE_DATA) if Need.DISK in needs else ():
            held.enter_context(small_disk(folder / name, DISK_MB))
        held.callback(end_all, mark)
        baseline = held.enter_context(serving(BASELINE, environment=surroundings))
        candidate = held.enter_context(serving("2", environment=surroundings))
        ports = Ports.drawn()
        wire = held.enter_context(Wire(ports.control))
        control = _control(folder, ports, surroundings)
        node = _node(folder, ports, wire, {**surroundings, **(clock.variables if clock else {})})
        text = POLICY.format(name=NAME, baseline=baseline.url, candidate=candidate.url)
        seat_of = seats(text.encode())
        stage = Stage(folder, mark, baseline, candidate, control, node, wire, clock, ports, seat_of)
        control.begin()
        with ControlPlane(Connection(url_of(ports.control), token=stage.token, timeout_s=10.0)) as plane:
            plane.start(text.encode(), file=f"{NAME}.yaml")
        node.begin()
        stage.await_back()
        yield stage


def _control(folder: Path, ports: Ports, surroundings: Mapping[str, str]) -> Program:
    """Return the control plane; it has a node of its own, which nobody calls."""
    listens = ["--proxy-port", str(free_port()), "--control-port", str(ports.control)]
    return Program(
        [*COMMAND, "up", "--data", str(folder / CONTROL_DATA), *listens],
        environment=surroundings,
        log=folder / "control.log",
        says="proxy:",
    )


def _node(folder: Path, ports: Ports, wire: Wire, surroundings: Mapping[str, str]) -> Program:
    """Return the node that users call; it reaches its control plane by the wire."""
    plane = ["--control", url_of(wire.port), "--token-file", str(folder / CONTROL_DATA / "token")]
    listens = ["--port", str(ports.node), "--agent-port", str(ports.agent), "--drain", "0"]
    return Program(
        [*COMMAND, "proxy", "--node", NODE, "--data", str(folder / NODE_DATA), *plane, *listens],
        environment=surroundings,
        log=folder / "node.log",
        says="proxy:",
    )


def seats(text: bytes) -> Callable[[str | None], Seat]:
    """Return who gets what while the policy's only step is on, by Envoy's twin."""
    policy = read_bytes(text, NAME).policy
    assert policy is not None
    placement = Placement(policy, 1, Split(steps_on=1))
    without_rows = {leaf_name(policy, Leaf.REST), leaf_name(policy, Leaf.OUTSIDE)}

    @cache
    def seat_of(unit: str | None) -> Seat:
        route = assign(placement, unit)
        if route in without_rows:
            return Seat(CONTROL, has_rows=False)
        return Seat(route.split("/")[1], has_rows=True)

    return seat_of
