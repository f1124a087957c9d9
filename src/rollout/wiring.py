"""The only file that names adapters together: a whole house in one process, on one machine."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI

from rollout import logs
from rollout.agent import converters
from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.log import Log
from rollout.agent.recorder import Recorder, Stream
from rollout.agent.spool import Spool
from rollout.agent.traffic import NodeTraffic
from rollout.agent.uplink import Uplink, connect
from rollout.api.access import application_of, bearer
from rollout.api.allowance import Allowance, Reporting
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.desk import Desk, Tools
from rollout.api.experiments import experiments_router, readiness_router
from rollout.api.intake import intake_router
from rollout.api.outcomes import Door, outcomes_router
from rollout.api.server import server_of
from rollout.api.told import Remembered, Wanted, wanted
from rollout.commands.jobs import LocalCommands
from rollout.controller.loop import Loop
from rollout.controller.reconcile import Passing, Reconciler, World, pass_by
from rollout.domain.judge import Patience
from rollout.envoy.bootstrap import Address
from rollout.envoy.proxy import Proxy
from rollout.envoy.translate import refuse_impossible
from rollout.errors import ControlPlaneFailed, Problem, ProxyFailed
from rollout.intake.evidence import RecordedEvidence
from rollout.intake.intake import Intake
from rollout.lake.compact import Compactor
from rollout.lake.query import Kind, Lake
from rollout.lake.units import UnitHash
from rollout.policyfile.digest import digest
from rollout.policyfile.reading import read_bytes
from rollout.ports import EvidenceSource, Ledger, Unread
from rollout.render.pages import page
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger

NODE: Final = "local"
SECRET_BYTES: Final = 32
FLUSH_US: Final = 1_000_000
"""What is noted stands in its log after this: Envoy flushes every 0.2 s, the spool at once."""
RECORD_EVERY_S: Final = 0.5
PRIVATE: Final = ("envoy", "jobs", "lake", "node", "spool")
"""Folders of a house: unit ids stand in the proxy's log and in what a node could not understand."""
LISTENS_WITHIN_S: Final = 20.0
STOPS_WITHIN_S: Final = 15.0
_log = logs.get("house")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a house keeps its state, and where it listens: on this machine only."""

    folder: Path
    proxy: Address
    control: Address
    patience: Patience

    @property
    def control_url(self) -> str:
        """The address of the control plane."""
        return f"http://{self.control.host}:{self.control.port}"

    @property
    def token_file(self) -> Path:
        """The file with the token that every caller shows."""
        return self.folder / "token"


def now_us() -> int:
    """Return the time of day in microseconds."""
    return time.time_ns() // 1_000


@contextmanager
def open_house(  # noqa: PLR0913 (each is one thing that a house is given)
    folder: Path,
    *,
    proxy_port: int,
    control_port: int,
    patience: Patience,
    passing: Passing = pass_by,
    reporting: Reporting | None = None,
) -> Iterator[None]:
    """Run proxy, recorders, intake, API and controller in this process until the block ends."""
    reporting = reporting or Reporting()
    applications = Applications(reporting.tokens_file)
    place = Place(folder, Address(proxy_port), Address(control_port), patience)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _keep_private(place)
    token = _secret(place.token_file)
    hashing = UnitHash(bytes.fromhex(_secret(folder / "unit.key")))
    with ExitStack() as held:
        database = Database.writer(folder / "control.db")
        held.callback(database.close)
        counts, ledger = Counts(database), SqlLedger(database, new_uid=_uid, digest=digest)
        spool = Spool(_outcomes_file(place))
        held.callback(spool.close)
        proxy = held.enter_context(Proxy(folder / "envoy", place.proxy))
        traffic = NodeTraffic(proxy, Journal(_journal_file(place)), now_us=now_us)
        evidence = RecordedEvidence(counts, Lake(_lake_folder(place)), patience=patience)
        held.callback(evidence.finish, STOPS_WITHIN_S)
        loop = _loop(place, ledger, evidence, traffic, passing)
        allowance = Allowance(reporting.per_s, reporting.burst, now_s=time.monotonic)
        asked = Remembered(partial(_wanted, ledger), now_s=time.monotonic)
        outcomes = outcomes_router(
            Door(hashing, spool, asked, now_us, allowance), application_of([token], applications)
        )
        intake = Intake(_lake_folder(place), counts, now_us=now_us, failing=loop.hurry)
        readiness = partial(_check, ledger, proxy)
        desk = _desk(ledger, loop, traffic)
        _serve(held, place.control, _application(intake, outcomes, desk, readiness, token))
        client = held.enter_context(connect(place.control_url, token))
        for stream in _streams(place, proxy, spool, hashing, partial(_exposure_lag_us, traffic)):
            stop = threading.Event()
            recorder = Recorder(stream, Uplink(client), now_us=now_us)
            _run(held, stream.kind, partial(recorder.run, stop, interval_s=RECORD_EVERY_S), stop.set)
        compactor = Compactor(_lake_folder(place), counts.cursors, now_s=time.time)
        ending = threading.Event()
        _run(held, "compactor", partial(compactor.run, ending), ending.set)
        _run(held, "controller", loop.run, loop.stop)
        yield


def _loop(
    place: Place, ledger: Ledger, evidence: EvidenceSource, traffic: NodeTraffic, passing: Passing
) -> Loop:
    jobs = LocalCommands(place.folder / "jobs", working_folder=Path.cwd())
    world = World(ledger, evidence, traffic, jobs)
    return Loop(ledger, Reconciler(world, patience=place.patience, passing=passing).tick)


def _desk(ledger: SqlLedger, loop: Loop, traffic: NodeTraffic) -> Desk:
    tools = Tools(
        read=read_bytes,
        refuse_impossible=refuse_impossible,
        render=page,
        is_live=traffic.serves,
        recorded=loop.wake,
        now_us=now_us,
    )
    return Desk(ledger, tools)


def _application(
    intake: Intake, outcomes: APIRouter, desk: Desk, check: Callable[[], Sequence[Problem]], token: str
) -> FastAPI:
    allowed = bearer([token])
    return create_app(
        [
            experiments_router(desk, allowed),
            intake_router(intake, allowed),
            outcomes,
            readiness_router(check),
        ]
    )


def _check(ledger: Ledger, proxy: Proxy) -> Sequence[Problem]:
    """Return which runs cannot be read; raise when no run can, or when Envoy does not stay up."""
    unread = [one.problem for one in ledger.served() if isinstance(one, Unread)]
    if proxy.has_failed:
        raise ProxyFailed(Problem("Envoy", "it does not stay up", "see envoy.log in the proxy's folder"))
    return unread


def _exposure_lag_us(traffic: NodeTraffic) -> int | None:
    """Return how long after its beginning a request stands in the log at the latest, once that is known."""
    longest_us = traffic.longest_request_us
    return None if longest_us is None else longest_us + FLUSH_US


def _streams(
    place: Place, proxy: Proxy, spool: Spool, hashing: UnitHash, exposure_lag_us: Callable[[], int | None]
) -> tuple[Stream, Stream]:
    node = _journal_file(place).parent
    access, outcomes = (
        Log(proxy.access_log, reopen=proxy.reopen_log),
        Log(_outcomes_file(place), reopen=spool.reopen, is_spoiled=lambda: spool.is_spoiled),
    )
    history = SplitHistory(_journal_file(place))
    return (
        Stream(Kind.EXPOSURES, NODE, access, converters.exposures(hashing, history), exposure_lag_us, node),
        Stream(Kind.OUTCOMES, NODE, outcomes, converters.outcomes(), lambda: FLUSH_US, node),
    )


def _serve(held: ExitStack, address: Address, application: FastAPI) -> None:
    """Serve until the stack ends; return once requests are answered."""
    server = server_of(application)
    listener = held.enter_context(_listener(address))

    def stop() -> None:
        server.should_exit = True

    _run(held, "api", partial(server.run, sockets=[listener]), stop)
    deadline_s = time.monotonic() + LISTENS_WITHIN_S
    while not server.started:
        if time.monotonic() > deadline_s:
            raise ControlPlaneFailed(
                Problem(f"{address.host}:{address.port}", "does not start", "see the log")
            )
        time.sleep(0.02)


def _listener(address: Address) -> socket.socket:
    try:
        return socket.create_server((address.host, address.port))
    except OSError as error:
        where, what = f"{address.host}:{address.port}", (error.strerror or str(error)).lower()
        remedy = "end what listens there, or choose another port: --control"
        raise ControlPlaneFailed(Problem(where, what, remedy)) from None


def _run(held: ExitStack, name: str, work: Callable[[], object], stop: Callable[[], object]) -> None:
    """Run work in a thread until the stack ends."""
    thread = threading.Thread(target=work, name=name, daemon=True)

    def end() -> None:
        stop()
        thread.join(STOPS_WITHIN_S)
        if thread.is_alive():
            _log.warning("did not stop in time", part=name)

    thread.start()
    held.callback(end)


def _wanted(ledger: SqlLedger) -> Wanted:
    """Return the outcomes that some run's policy asks for."""
    return wanted(metric for run in ledger.runs() for metric in run.experiment.policy.metrics)


def _keep_private(place: Place) -> None:
    """Let nobody else read what will lie in the folder, even when others may look into the folder itself."""
    for name in PRIVATE:
        (place.folder / name).mkdir(exist_ok=True)
        (place.folder / name).chmod(0o700)
    (place.folder / "control.db").touch(mode=0o600)


def _secret(file: Path) -> str:
    """Return the file's secret, drawn when there is none yet; only its owner may read it."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(SECRET_BYTES) + "\n", encoding="ascii")
    return file.read_text(encoding="ascii").strip()


def _uid() -> str:
    return secrets.token_hex(4)


def _lake_folder(place: Place) -> Path:
    return place.folder / "lake"


def _journal_file(place: Place) -> Path:
    return place.folder / "node" / "splits.journal"


def _outcomes_file(place: Place) -> Path:
    return place.folder / "spool" / "outcomes.log"
