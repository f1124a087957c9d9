"""What there is to break: control planes and their database; and nodes, whose users notice nothing of it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import psycopg

from rollout.client.connection import Connection, Patience
from rollout.client.control_plane import ControlPlane
from rollout.domain.assignment import CONTROL
from rollout.errors import RolloutError
from tests.e2e.crowd import Crowd, Manner, now_us
from tests.e2e.memory import Memory
from tests.e2e.models import ModelProcess
from tests.faults import lake
from tests.faults.checking import Checker, Filed, Seat
from tests.faults.control.policies import Texts
from tests.faults.excuses import Excuses
from tests.faults.processes import Program, marked
from tests.faults.stage import GONE_WITHIN_S, HEADER, NAME, PROBE_S, await_true, url_of
from tests.store.server import Server

READY_S: Final = 0.5
USUAL: Final = Patience()
ASKED_S: Final = 3.0
_TERM: Final = re.compile(r'"version":"(\d+)-[0-9a-f]{32}"')


@dataclass(slots=True)
class Control:
    """One control plane of those that share a database."""

    program: Program
    port: int

    def leads(self) -> bool:
        """Say whether it answers that it leads, soon."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(slots=True)
class Edge:
    """One node with its Envoy."""

    name: str
    folder: Path
    program: Program
    port: int
    """What applications call."""
    agent_port: int
    """Where they report outcomes."""

    def term(self) -> int | None:
        """Return the term of the snapshot that it keeps; nothing while there is none."""
        try:
            found = _TERM.search((self.folder / "node" / "snapshot.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return None if found is None else int(found[1])

    def answers(self, path: str, unit: str) -> bool:
        """Say whether a user is served now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PROBE_S)
        try:
            connection.request("GET", path, headers={HEADER: unit})
            answer = connection.getresponse()
            return answer.status == http.client.OK and answer.getheader("x-rollout-variant") is not None
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(slots=True)
class Plane:
    """Everything that was started, and where it keeps what it promises to keep."""

    folder: Path
    mark: str
    controls: Sequence[Control]
    server: Server | None
    """The database's, where it is not a file."""
    database: str | Path
    edges: Sequence[Edge]
    models: Sequence[ModelProcess]
    texts: Texts
    seat_of: Callable[[str | None], Seat]
    data: Path
    """What the control planes share: the lake, the actions, the token."""
    tallied: int = 0
    """Requests of the steady run without rows of their own in the rounds before this one."""
    counted: dict[str, int] = field(default_factory=dict)
    """All requests of each other run's name, likewise."""

    @property
    def token(self) -> str:
        return (self.data / "token").read_text().strip()

    @property
    def urls(self) -> str:
        """Every control plane's address, as people set it."""
        return ",".join(url_of(one.port) for one in self.controls)

    def asked(self, timeout_s: float = ASKED_S, patience: Patience = USUAL) -> ControlPlane:
        """Return whichever of them leads, as a person or program asks it; whoever asks closes it."""
        return ControlPlane(Connection(self.urls, token=self.token, timeout_s=timeout_s, patience=patience))

    def crowd(self, manner: Manner, edge: Edge, seed: str) -> Crowd:
        """Return users of one node that nobody has been before."""
        return Crowd(manner, edge.port, url_of(edge.agent_port), self.token, seed=seed)

    def checker(self) -> Checker:
        """Return a checker that forgives nothing: no Envoy is touched."""
        return Checker(self.seat_of, lake.hashing(self.data / "unit.key"), Excuses())

    def filed(self, memory: Memory) -> Filed:
        """Return what the lake holds of users of the steady run."""
        return lake.filed(self.data / "lake", NAME, self._units(memory), self.tallied)

    def filed_of(self, name: str, memory: Memory) -> Filed:
        """Return what it holds of another run's users, with the number of all of its requests."""
        own = lake.filed(self.data / "lake", name, self._units(memory), 0)
        return Filed(
            own.rows, lake.requests(self.data / "lake", name) - self.counted.get(name, 0), own.outcomes
        )

    def await_served(self, *names: str) -> None:
        """Return once every node has confirmed that it serves these names, as they stand; no user asks."""
        with self.asked() as asked:

            def is_served() -> bool:
                try:
                    runs = {run.name: run.traffic_is_live for run in asked.experiments()}
                    nodes = {one.name for one in asked.nodes().nodes if one.is_live}
                except RolloutError:
                    return False
                return all(runs.get(name) for name in names) and nodes >= {one.name for one in self.edges}

            await_true(f"{', '.join(names)} are served", is_served)

    def leader(self) -> Control | None:
        """Return who says now that it leads, if anybody does."""
        return next((one for one in self.controls if one.leads()), None)

    def await_leader(self, *, other_than: Control | None = None) -> Control:
        """Return who leads once somebody does."""
        found: list[Control] = []

        def is_led() -> bool:
            found[:] = [one for one in self.controls if one is not other_than and one.leads()]
            return bool(found)

        try:
            await_true("somebody leads", is_led)
        except TimeoutError as error:
            raise TimeoutError("\n".join([str(error), *self.activity()])) from None
        return found[0]

    def standby(self, leader: Control) -> Control:
        """Return the other one."""
        return next(one for one in self.controls if one is not leader)

    def await_back(self) -> int:
        """Return when somebody leads, and users of every node are answered."""
        self.await_leader()
        control = Seat(CONTROL, has_rows=True)  # no tally is disturbed
        probe = next(name for name in map("probe-{}".format, count()) if self.seat_of(name) == control)
        for edge in self.edges:
            await_true("users are answered", lambda edge=edge: edge.answers(f"/{NAME}", probe))  # type: ignore[misc]
        return now_us()

    def mend(self) -> None:
        """Begin again whatever a fault that failed half-way has left dead."""
        for one in self.controls:
            if not one.program.is_running:
                one.program.begin()

    def activity(self) -> list[str]:
        """Return what every connection of the database does, for whoever wants to know who waits for whom."""
        try:
            return [] if self.server is None else self.server.activity()
        except psycopg.Error as error:
            return [str(error)]

    def end(self) -> list[str]:
        """End all; return what is wrong with an end, and every process that is still there."""
        ends = {edge.name: edge.program.end() for edge in self.edges}
        ends |= {f"the control plane at {one.port}": one.program.end() for one in self.controls}
        models = {one.pid for one in self.models}
        with suppress(TimeoutError):
            await_true("all are gone", lambda: set(marked(self.mark)) <= models, GONE_WITHIN_S)
        left = [line for pid, line in marked(self.mark).items() if pid not in models]
        return left + [f"{name} ended with {status}" for name, status in ends.items() if status]

    def said(self, lines: int) -> Mapping[str, Sequence[str]]:
        """Return the last lines of every process's log, by whose it is."""
        found = {edge.name: edge.program.said(lines) for edge in self.edges}
        return found | {str(one.port): one.program.said(lines) for one in self.controls}

    def _units(self, memory: Memory) -> set[int]:
        key = lake.hashing(self.data / "unit.key")
        units = {key.unit(asked.unit) for asked in memory.asked if asked.unit is not None}
        return {unit for unit in units if unit}
