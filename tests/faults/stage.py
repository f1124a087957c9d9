"""The stage of a fault: a house with its Envoy, two models and a policy, in processes that may be broken."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Final, Self

from rollout.domain.assignment import CONTROL, arm_name
from rollout.envoy.access_log import ACCESS_LOG_FILE
from tests.e2e.crowd import Crowd, Manner, now_us
from tests.e2e.memory import Memory
from tests.e2e.models import ModelProcess, free_port
from tests.faults import lake
from tests.faults.checking import Checker, Filed, Seat
from tests.faults.clock import Clock
from tests.faults.excuses import Excuses
from tests.faults.processes import Program, folder_of, marked
from tests.faults.wire import Wire

BACK_WITHIN_S: Final = 60.0
GONE_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 0.05
PROBE_S: Final = 5.0
BASELINE: Final = "1"
"""The version of the baseline, with which it answers."""
CANDIDATE: Final = arm_name(1)
CONTROL_DATA: Final = "control"
NODE_DATA: Final = "node"
NAME: Final = "churn"
HEADER: Final = "x-user-id"
ENVOY: Final = "envoy.json"
"""What stands in Envoy's command line and in nobody else's."""
CROWD: Final = Manner(
    f"/{NAME}",
    HEADER,
    "converted",
    {CONTROL: 0.2, CANDIDATE: 0.2},
    per_second=400.0,
    callers=100,
    users=800,
    fresh=0.1,
    posts=0.3,
    strangers=0.02,
    insists=True,
)


class Need(StrEnum):
    """What not every machine has."""

    CLOCK = "a clock of its own"
    DISK = "a disk of its own"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen."""

    control: int
    node: int
    """What applications call."""
    agent: int
    """Where applications report outcomes."""

    @classmethod
    def drawn(cls) -> Self:
        """Return ports that nobody listens on."""
        return cls(free_port(), free_port(), free_port())


@dataclass(slots=True)
class Stage:
    """What a fault may break, and what is forgiven because of it."""

    folder: Path
    mark: str
    baseline: ModelProcess
    candidate: ModelProcess
    control: Program
    node: Program
    wire: Wire
    clock: Clock | None
    ports: Ports
    seat_of: Callable[[str | None], Seat]
    excuses: Excuses = field(default_factory=Excuses)
    tallied: int = 0
    """Requests without rows of their own in the courses before this one."""

    @property
    def control_data(self) -> Path:
        """The control plane's folder."""
        return self.folder / CONTROL_DATA

    @property
    def node_data(self) -> Path:
        """The node's folder."""
        return self.folder / NODE_DATA

    @property
    def access_log(self) -> Path:
        """What Envoy writes now."""
        return self.node_data / "envoy" / ACCESS_LOG_FILE

    @property
    def token(self) -> str:
        """What every caller of the control plane and of the node shows."""
        return (self.control_data / "token").read_text().strip()

    def crowd(self, seed: str) -> Crowd:
        """Return users that nobody has been before."""
        return Crowd(CROWD, self.ports.node, url_of(self.ports.agent), self.token, seed=seed)

    def checker(self) -> Checker:
        return Checker(self.seat_of, lake.hashing(self.control_data / "unit.key"), self.excuses)

    def filed(self, memory: Memory) -> Filed:
        """Return what the lake holds of these users."""
        key = lake.hashing(self.control_data / "unit.key")
        units = {key.unit(asked.unit) for asked in memory.asked if asked.unit is not None}
        return lake.filed(self.control_data / "lake", NAME, {unit for unit in units if unit}, self.tallied)

    def envoys(self) -> list[int]:
        """Return the node's processes that are Envoy."""
        home = self.access_log.parent
        return [
            pid
            for pid, line in marked(self.mark).items()
            if ENVOY in line and "/bin/sh" not in line and folder_of(pid) == home
        ]

    def answers(self) -> bool:
        """Say whether a user of the experiment is answered now."""
        control = Seat(CONTROL, has_rows=True)  # no tally is disturbed, and no candidate waited for
        probe = next(name for name in map("probe-{}".format, count()) if self.seat_of(name) == control)
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.node, timeout=PROBE_S)
        try:
            connection.request("GET", CROWD.path, headers={HEADER: probe})
            answer = connection.getresponse()
            return answer.status == http.client.OK and answer.getheader("x-rollout-variant") is not None
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def control_is_ready(self) -> bool:
        """Say whether the control plane answers now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.control, timeout=LOOK_EVERY_S * 4)
        try:
            connection.request("GET", "/readyz")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        else:
            return True
        finally:
            connection.close()

    def end(self) -> list[str]:
        """End all; return what is wrong with an end, and every process that is still there."""
        ends = {"the node": self.node.end(), "the control plane": self.control.end()}
        models = {self.baseline.pid, self.candidate.pid}
        with suppress(TimeoutError):
            await_true("all are gone", lambda: set(marked(self.mark)) <= models, GONE_WITHIN_S)
        left = [line for pid, line in marked(self.mark).items() if pid not in models]
        return left + [f"{name} ended with {status}" for name, status in ends.items() if status]

    def await_back(self) -> int:
        """Return when users are answered again, after a fault that nobody mends."""
        await_true("users are answered again", self.answers)
        return now_us()


def await_true(what: str, condition: Callable[[], bool], within_s: float = BACK_WITHIN_S) -> None:
    """Return once a condition holds; raise with what it is when it takes too long."""
    ends_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_s:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(LOOK_EVERY_S)


def url_of(port: int) -> str:
    """Return the address of a port of this machine."""
    return f"http://127.0.0.1:{port}"
