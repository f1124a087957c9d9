"""A node over a real Envoy: it follows, tells what is live, and outlives its control plane."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import APIRouter, Response

from rollout.agent.applier import Applier
from rollout.agent.journal import Journal
from rollout.agent.traffic import Stamps
from rollout.domain.assignment import Placement
from rollout.domain.policy import Resilience
from rollout.envoy.weights import weights
from rollout.fleet.snapshot import Snapshot
from tests.agent.serving_node import answered_by, at, control, models, node
from tests.envoy.examples import placed, policy_for, running, until

STRANGE = "a token of somebody else"
BAD = Resilience(timeout_s=1e15)
"""Longer than Envoy can count."""


@pytest.fixture
def placement() -> Iterator[Placement]:
    with models() as (baseline, candidate):
        yield placed(policy_for(baseline, candidate), 3)


def test_a_node_follows_and_confirms(tmp_path: Path, placement: Placement) -> None:
    other = replace(placement, policy=replace(placement.policy, name="other", path="/other", salt="o"))
    with control(tmp_path / "control") as plane, node(tmp_path / "node", plane.url) as (_, _, port):
        assert until(plane.is_told)
        assert plane.fleet.publish((placement,)).is_live
        assert set(answered_by(port, placement)) == {"baseline", "candidate"}
        assert plane.fleet.publish((at(placement, 0),)).is_live
        assert set(answered_by(port, placement)) == {"baseline"}
        bad = replace(other, policy=replace(other.policy, resilience=BAD))
        published = plane.fleet.publish((placement, bad))
        assert not published.is_live
        assert published.confirms(placement.policy.name)
        assert "n refuses other: rds.json: " in (published.refusal or "")
        assert plane.fleet.publish((placement, other)).is_live
        assert set(answered_by(port, other)) == {"baseline", "candidate"}
        assert plane.fleet.publish(()).is_live
        assert not (tmp_path / "node" / "envoy" / "rds.json").read_text().count(placement.policy.path)


def test_a_node_starts_from_its_disk_and_says_once_that_nobody_answers(
    tmp_path: Path, placement: Placement, capsys: pytest.CaptureFixture[str]
) -> None:
    with control(tmp_path / "control") as plane, node(tmp_path / "node", plane.url):
        assert until(plane.is_told)
        assert plane.fleet.publish((placement,)).is_live
        kept = tmp_path / "node" / "node" / "snapshot.json"
        assert until(kept.exists)
        url = plane.url
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with node(tmp_path / "node", url) as (found, link, port):
        assert set(answered_by(port, placement)) == {"baseline", "candidate"}
        assert [one.experiment for one in found.state().live] == [placement.policy.name]
        assert not link.is_connected
        journal = (tmp_path / "node" / "node" / "splits.journal").read_text()
        assert journal.splitlines()[-1].count('"acknowledged"') == 1
        time.sleep(1.5)
    said = [
        line for line in capsys.readouterr().out.splitlines() if "not heard" in line and "snapshots" in line
    ]
    assert len(said) <= 1


def test_what_stands_on_the_disk_may_be_garbage(tmp_path: Path, placement: Placement) -> None:
    kept = tmp_path / "node" / "node" / "snapshot.json"
    with control(tmp_path / "control") as plane:
        with node(tmp_path / "node", plane.url):
            assert until(plane.is_told)
            assert plane.fleet.publish((placement,)).is_live
            assert until(kept.exists)
        kept.write_text(kept.read_text()[:100])
        plane.fleet.forget("n")
        with node(tmp_path / "node", "http://127.0.0.1:1") as (found, _, port):
            assert set(answered_by(port, placement)) == {"baseline", "candidate"}
            assert found.state().snapshot is None


@pytest.mark.parametrize(
    "content", ["", "garbage", '{"placements": [], "version": "%s"}' % ("0" * 32), '{"version": 1}']
)
def test_a_snapshot_that_is_none_is_refused_and_the_last_good_one_stays(
    content: str, tmp_path: Path, placement: Placement
) -> None:
    is_bad: list[bool] = []
    router = APIRouter()

    @router.get("/v1/snapshot")
    def snapshot() -> Response:
        text = content if is_bad else Snapshot.of([placement]).text()
        return Response(text or " ", media_type="application/json")

    with (
        control(tmp_path / "control", router) as plane,
        node(tmp_path / "node", plane.url) as (found, _, port),
    ):
        assert until(lambda: bool(found.state().live))
        is_bad.append(True)
        assert until(lambda: bool(found.state().refused))
        assert found.state().refused[0].experiment is None
        assert set(answered_by(port, placement)) == {"baseline", "candidate"}
        is_bad.clear()
        assert until(lambda: not found.state().refused)


def test_a_wrong_token_stops_nothing_that_is_served(tmp_path: Path, placement: Placement) -> None:
    with control(tmp_path / "control", waits_s=0.5) as plane:
        with node(tmp_path / "node", plane.url):
            assert until(plane.is_told)
            assert until(lambda: plane.fleet.publish((placement,)).is_live)
        with node(tmp_path / "node", plane.url, token=STRANGE) as (_, link, port):
            assert set(answered_by(port, placement)) == {"baseline", "candidate"}
            assert not link.is_connected
        assert plane.fleet.publish((at(placement, 0),)).is_live is False


def test_a_killed_envoy_comes_back_and_is_told(tmp_path: Path, placement: Placement) -> None:
    with control(tmp_path / "control") as plane, node(tmp_path / "node", plane.url) as (found, _, port):
        assert until(plane.is_told)
        assert plane.fleet.publish((placement,)).is_live
        pid = found.proxy.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert plane.fleet.publish((at(placement, 0),)).is_live
        assert set(answered_by(port, placement)) == {"baseline"}

        def is_told() -> bool:
            ((seen, _, _),) = plane.fleet.nodes()
            return seen.state is not None and seen.state.envoy_starts == 2

        assert until(is_told)


def test_a_node_that_ends_well_signs_off_and_one_that_does_not_is_waited_for(
    tmp_path: Path, placement: Placement
) -> None:
    with control(tmp_path / "control", waits_s=0.5) as plane:
        with node(tmp_path / "leaves", plane.url, name="leaves", signs_off=True) as (_, _, port):
            assert until(plane.is_told)
            assert until(lambda: plane.fleet.publish((placement,)).is_live)
            answered_by(port, placement)
        assert plane.fleet.nodes() == ()
        with node(tmp_path / "dies", plane.url, name="dies"):
            assert until(plane.is_told)
        assert "dies" in (plane.fleet.publish((at(placement, 1),)).refusal or "")
        assert [seen.name for seen, _, _ in plane.fleet.nodes()] == ["dies"]


def test_a_newer_snapshot_passes_over_one_that_is_not_served_yet(
    tmp_path: Path, placement: Placement
) -> None:
    with running(tmp_path / "envoy") as (proxy, _):
        stamps = Stamps(Journal(tmp_path / "journal"), now_us=time.time_ns)
        applier = Applier(proxy, stamps, tmp_path / "snapshot.json")
        for steps_on in (1, 2, 3, 0):
            applier.take(Snapshot.of([at(placement, steps_on)]))
        applier.step()
        assert [one.split.steps_on for one in applier.state().live] == [0]
        assert weights([at(placement, 1)]).version != proxy.live.weights
        written = [json.loads(line)["split"] for line in (tmp_path / "journal").read_text().splitlines()]
        assert set(written) == {0}


def test_a_full_disk_is_told_and_ends_nothing(tmp_path: Path, placement: Placement) -> None:
    with running(tmp_path / "envoy") as (proxy, port):
        stamps = Stamps(Journal(tmp_path / "journal"), now_us=time.time_ns)
        nowhere = tmp_path / "file"
        nowhere.touch()
        applier = Applier(proxy, stamps, nowhere / "snapshot.json")
        applier.take(Snapshot.of([placement]))
        applier.step()
        assert applier.state().refused[0].experiment is None
        assert set(answered_by(port, placement)) == {"baseline", "candidate"}
