"""How everything is opened: a durable database, two control planes, two nodes, and what is decided there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psycopg

from tests.e2e.models import free_port, serving
from tests.faults.control.plane import Control, Edge, Plane
from tests.faults.control.policies import FAILS, Texts, Urls
from tests.faults.opening import COMMAND, begun, seats
from tests.faults.processes import Program, end_all
from tests.faults.stage import BASELINE, NAME, url_of
from tests.store.server import Server

EDGES: Final = ("edge-1", "edge-2")
PATIENCE: Final = ("--grace", "1", "--stale", "15")
DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")


class NotDurable(Exception):
    """A database that acknowledges before it has written keeps no promise that could be checked."""


@contextmanager
def opened(*, is_house: bool = False) -> Iterator[Plane]:
    """Open two control planes over PostgreSQL, or a single house with a file; nothing is left at the end."""
    with ExitStack() as held:
        folder, mark, surroundings = begun(held)
        held.callback(end_all, mark)
        models = [
            held.enter_context(serving(version, fails=fails, environment=surroundings))
            for version, fails in ((BASELINE, 0.0), ("2", 0.0), ("3", FAILS))
        ]
        data = folder / "plane"
        server = None if is_house else _server(held)
        database = data / "control.db" if server is None else server.address(server.create())
        ports = [free_port() for _ in range(1 if server is None else 2)]
        controls = [_control(data, port, database, surroundings) for port in ports]
        edges = [_edge(folder, name, ports, data / "token", surroundings) for name in EDGES]
        texts = Texts(Urls(*(one.url for one in models)), folder / "effects")
        steady = texts.steady().encode()
        plane = Plane(folder, mark, controls, server, database, edges, models, texts, seats(steady), data)
        for one in controls:
            one.program.begin()
        with plane.asked(timeout_s=10.0) as asked:
            asked.start(steady, file=f"{NAME}.yaml")
        for edge in edges:
            edge.program.begin()
        plane.await_served(NAME)
        yield plane


def _server(held: ExitStack) -> Server:
    """Return a server of our own, to which a commit is one: it outlives the server's end, and a power cut."""
    server = Server(is_durable=True)
    held.callback(server.end)
    server.make()
    with psycopg.connect(dbname="postgres", user="postgres", host=str(server.folder)) as connection:
        for name in DURABLE:
            (value,) = connection.execute("SELECT current_setting(%s)", [name]).fetchone() or ("",)
            if value != "on":
                raise NotDurable(f"{name} is {value!r}")
    return server


def _control(data: Path, port: int, database: str | Path, surroundings: Mapping[str, str]) -> Control:
    """Return a control plane; a house has a node of its own, which nobody calls."""
    if isinstance(database, Path):
        place = ["up", "--data", str(data), "--proxy-port", str(free_port()), "--control-port", str(port)]
    else:
        place = ["control", "--data", str(data), "--database", database, "--port", str(port)]
    program = Program(
        [*COMMAND, *place, *PATIENCE],
        environment=surroundings,
        log=data.with_name(f"control-{port}.log"),
        says="proxy:" if isinstance(database, Path) else "control:",
    )
    return Control(program, port)


def _edge(
    folder: Path, name: str, ports: list[int], token_file: Path, surroundings: Mapping[str, str]
) -> Edge:
    """Return a node that follows whoever leads."""
    port, agent_port = free_port(), free_port()
    urls = [word for one in ports for word in ("--control-url", url_of(one))]
    listens = ["--port", str(port), "--agent-port", str(agent_port), "--drain", "0"]
    asked = ["proxy", "--node", name, "--data", str(folder / name), *urls, "--token-file", str(token_file)]
    program = Program(
        [*COMMAND, *asked, *listens], environment=surroundings, log=folder / f"{name}.log", says="proxy:"
    )
    return Edge(name, folder / name, program, port, agent_port)
