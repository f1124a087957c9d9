"""A whole control plane tells a real receiver what happens to a run, and keeps its secrets."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rollout.agent.terms import Terms
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.controller.reconcile import pass_by
from rollout.domain.judge import Patience
from rollout.envoy.bootstrap import Address
from rollout.errors import RequestRefused
from rollout.notify.receivers import Post
from rollout.store.database import Database
from rollout.store.deliveries import Deliveries
from rollout.wiring.candidates import Alone
from rollout.wiring.control import Given, Place, open_control
from tests.api.control import POLICY
from tests.contracts.notifier import SECRET
from tests.e2e.models import free_port
from tests.notify.servers import web
from tests.notify.test_couriers import KEY, OLD_KEY, webhook

WITHIN_S = 60.0


@contextmanager
def control_plane(folder: Path, receivers: Path) -> Iterator[tuple[ControlPlane, Database]]:
    """Run a control plane without a node, and yield what asks it, and its database."""
    terms = Terms(post=Post(receivers, "https://rollout.example.org"))
    place = Place(folder, folder / "lake", Address(free_port()))
    with ExitStack() as held:
        database = Database.writer(folder / "control.db")
        held.callback(database.close)
        given = Given(Patience(), terms, pass_by, lambda _: None)
        held.enter_context(open_control(place, Alone(database), given, option="--port"))
        connection = Connection(place.url, token=place.token_file.read_text().strip(), timeout_s=30.0)
        yield held.enter_context(ControlPlane(connection)), database


def until(holds: Callable[[], bool]) -> bool:
    """Wait until something holds; return whether it did in time."""
    deadline = time.monotonic() + WITHIN_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def telling(name: str) -> bytes:
    """Return a policy that tells somebody."""
    return f"{POLICY.rstrip()}\n  notify: [{{to: {name}, events: [decision]}}]\n".encode()


@pytest.mark.slow
def test_a_control_plane_tells_of_a_start_and_of_a_rollback_and_shows_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "receivers.toml"
    with web() as server, caplog.at_level(logging.DEBUG):
        server.answers = [(500, {})]
        file.write_text(webhook(server.port))
        with control_plane(tmp_path / "d", file) as (control, database):
            with pytest.raises(RequestRefused, match=r"nobody is called 'cci'.*did you mean 'ci'"):
                control.start(telling("cci"))
            name = control.start(telling("ci")).experiment.name
            assert until(lambda: len(server.got) >= 2)
            control.rollback(name, who="ann", why="the model card is wrong")
            told = "PERSON_ROLLS_BACK"
            assert until(
                lambda: any(event["reason"] == told for got in server.got for event in got.content["events"])
            )
            assert until(
                lambda: {one.state for one in Deliveries(database).of(name)} <= {"sent", "withdrawn"}
            )
    events = [event for got in server.got[1:] for event in got.content["events"]]
    assert [event["occasion"] for event in events[:2]] == ["started", "decided"]
    assert len({event["id"] for event in events}) == len(events)
    found = capfd.readouterr()
    said = (caplog.text + found.out + found.err).encode()
    assert b"it answered 500" in said
    kept = b"".join(
        (Path(folder) / one).read_bytes() for folder, _, files in os.walk(tmp_path / "d") for one in files
    )
    for secret in (SECRET, KEY, OLD_KEY):
        assert secret.encode() not in said + kept
