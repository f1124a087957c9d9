"""From Envoy's log to the lake over real HTTP: each line once, whoever dies, tears or forgets."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from rollout.agent.losses import Losses
from rollout.agent.recorder import Point
from rollout.agent.uplink import Unreachable, Uplink, connect
from rollout.intake.intake import Filed
from rollout.lake.segments import Kind, content_digest
from tests.agent.node import (
    LAG_US,
    PATIENCE,
    PAUSES,
    SETTLE_US,
    acknowledge,
    control_plane,
    recorder,
    step,
    write,
)
from tests.api.serving import TOKEN
from tests.command import ROOT
from tests.intake.crash import history
from tests.intake.house import LOG, NOW_US, House, segment, told
from tests.intake.test_counts import check_errors, check_tallies, check_windows
from tests.intake.test_intake import check_lake
from tests.lake.histories import RUN, Request, as_lines, request_at


def check(house: House, requests: list[Request]) -> None:
    check_tallies(house.counts, requests)
    check_errors(house.counts, requests)
    check_windows(house.counts, requests)
    check_lake(house.folder / "lake", requests)


@pytest.mark.parametrize("point", list(Point))
def test_a_recorder_killed_at_any_point_hands_in_each_line_once(point: Point, tmp_path: Path) -> None:
    node = tmp_path / "node"
    acknowledge(node / "acknowledgements.jsonl")
    with control_plane(tmp_path) as (house, address):
        program = [sys.executable, "-m", "tests.agent.crash", str(node), address, point]
        assert subprocess.run(program, cwd=ROOT, timeout=60, check=False).returncode == -9
        assert step(node, address, now_us=NOW_US + 2 * SETTLE_US, largest_cut=1100)
        check(house, history())
        assert len(list(node.glob("access.log.*.*"))) == 0, "what was acknowledged is deleted"
        assert Losses(node / "exposures.losses").all() == ()


def test_half_a_line_waits_and_a_torn_one_costs_only_itself(tmp_path: Path) -> None:
    acknowledge(tmp_path / "acknowledgements.jsonl")
    requests = [request_at(n * 1000, unit=f"u{n}") for n in range(4)]
    lines = [as_lines([request]) for request in requests]
    clock = [NOW_US]
    with (
        control_plane(tmp_path) as (house, address),
        recorder(tmp_path, address, now_us=lambda: clock[0]) as (hand, log),
    ):
        write(tmp_path, lines[0] + lines[1][:40])
        assert hand.step()
        check(house, requests[:1])
        write(tmp_path, lines[1][40:])
        assert hand.step()
        check(house, requests[:2])
        # Envoy is killed in the middle of a line, and started again.
        write(tmp_path, lines[2][:55] + lines[3] + b"\xff\n" + lines[2][:20])
        log.rotate(NOW_US)
        for clock[0] in (NOW_US, NOW_US + SETTLE_US):
            assert hand.step()
        check(house, [*requests[:2], requests[3]])
        assert house.counts.nodes()[0].bad_lines == 3
        kept = (tmp_path / "exposures.quarantine").read_bytes().split(b"\n")
        assert kept == [lines[2][:55] + lines[3][:-1], b"\xff", lines[2][:20], b""]


def test_a_node_that_forgot_its_offsets_cuts_again_at_the_cursor(tmp_path: Path) -> None:
    acknowledge(tmp_path / "acknowledgements.jsonl")
    requests = history()
    with control_plane(tmp_path) as (house, address):
        write(tmp_path, as_lines(requests[:11]))
        assert step(tmp_path, address)
        (tmp_path / "exposures.offsets").unlink()
        write(tmp_path, as_lines(requests[11:]))
        assert step(tmp_path, address, largest_cut=700)
        check(house, requests)


def test_the_watermark_moves_with_and_without_requests(tmp_path: Path) -> None:
    clock = [NOW_US]
    kinds = (Kind.EXPOSURES,)
    with (
        control_plane(tmp_path) as (house, address),
        recorder(tmp_path, address, now_us=lambda: clock[0]) as (hand, _),
    ):
        assert hand.step()
        assert house.counts.watermark(NOW_US, kinds=kinds, is_fast=False) is None, "no log, no promise"
        write(tmp_path, as_lines([request_at(0)]))
        for _ in range(2):
            clock[0] += 1_000_000
            assert hand.step()
            assert house.counts.watermark(NOW_US, kinds=kinds, is_fast=False) == clock[0] - LAG_US


def test_how_far_the_log_reaches_is_not_said_before_the_longest_request_is_known(tmp_path: Path) -> None:
    longest = [None, LAG_US]
    write(tmp_path, as_lines([request_at(0)]))
    with (
        control_plane(tmp_path) as (house, address),
        recorder(tmp_path, address, lag_us=lambda: longest.pop(0)) as (hand, _),
    ):
        for promised in (None, NOW_US - LAG_US):
            assert hand.step()
            assert house.counts.watermark(NOW_US, kinds=(Kind.EXPOSURES,), is_fast=False) == promised


def test_while_the_intake_is_away_the_log_keeps_everything(tmp_path: Path) -> None:
    acknowledge(tmp_path / "acknowledgements.jsonl")
    PAUSES.clear()
    requests = history()
    write(tmp_path, as_lines(requests))
    with recorder(tmp_path, "http://127.0.0.1:9") as (nobody, _):
        assert not nobody.step()
    assert PAUSES == [1.0, 2.0, 3.0]
    with control_plane(tmp_path) as (house, address):
        assert step(tmp_path, address)
        check(house, requests)
        with connect(address, "a wrong token for tests") as client, pytest.raises(Unreachable, match="401"):
            Uplink(client, PATIENCE).send(told(0, 0), b"")


def test_what_the_intake_refuses_stops_the_node_and_is_not_lost(tmp_path: Path) -> None:
    clock = [NOW_US]
    with (
        control_plane(tmp_path) as (house, address),
        recorder(tmp_path, address, now_us=lambda: clock[0]) as (hand, log),
    ):
        write(tmp_path, as_lines([request_at(0)]))
        log.rotate(NOW_US)
        (old,) = tmp_path.glob("access.log.*.*")
        name = old.name.rsplit(".", 1)[1]
        with connect(address, TOKEN) as client:
            path = f"/v1/segments/exposures/node-1/{name}"
            for where, start, end, body, status in (
                (path, 0, 9, b"junk", 422),
                (path, 9, 8, b"", 422),
                (f"/v1/segments/other/node-1/{LOG}", 0, 0, b"", 422),
                (path, 0, 9, bytes(2**25 + 1), 413),
            ):
                headers = {"Content-Digest": content_digest(body)}
                asked = {"start": start, "end": end}
                assert client.post(where, params=asked, headers=headers, content=body).status_code == status
            assert client.post(path, params={"start": 0, "end": 0}).status_code == 400, "without a digest"
            assert client.delete("/v1/nodes/nobody").status_code == 404
        for clock[0] in (NOW_US, NOW_US + SETTLE_US):
            assert hand.step()
        assert house.counts.request_totals(RUN) == {"control": (1, 0)}
        assert not old.exists()


def test_a_running_recorder_hands_in_what_is_left_when_it_is_stopped(tmp_path: Path) -> None:
    acknowledge(tmp_path / "acknowledgements.jsonl")
    stop = threading.Event()
    with control_plane(tmp_path) as (house, address), recorder(tmp_path, address) as (hand, _):
        thread = threading.Thread(target=hand.run, args=(stop,), kwargs={"interval_s": 0.01})
        thread.start()
        for request in history():
            write(tmp_path, as_lines([request]))
        stop.set()
        thread.join(30)
        check(house, history())
        with connect(address, TOKEN) as client:
            Uplink(client).sign_off("node-1")
        assert house.counts.nodes() == []


def test_hours_of_outage_are_caught_up_and_until_then_nothing_is_promised(tmp_path: Path) -> None:
    """Forty rotated logs wait; a step can be stopped between any two cuts, and the next one goes on."""
    acknowledge(tmp_path / "acknowledgements.jsonl")
    clock, requests, marks = [NOW_US], [], []
    kinds = (Kind.EXPOSURES,)
    with recorder(tmp_path, "http://127.0.0.1:9", now_us=lambda: clock[0]) as (hand, log):
        for number in range(40):
            requests += [request_at(1000 * number + n, unit=f"u{n}") for n in range(5)]
            write(tmp_path, as_lines(requests[-5:]))
            log.rotate(clock[0])
        write(tmp_path, as_lines(requests[:1]))
        assert not hand.step()
        waiting = hand.unsent_bytes()
        assert waiting == len(as_lines([*requests, requests[0]]))
    with control_plane(tmp_path) as (house, address):
        asked = iter([False] * 30 + [True])

        def look(_: Point) -> None:
            marks.append(house.counts.watermark(clock[0], kinds=kinds, is_fast=True))

        with recorder(tmp_path, address, now_us=lambda: clock[0], reached=look) as (hand, _):
            assert not hand.step(lambda: next(asked))
            assert 0 < hand.unsent_bytes() < waiting
            assert {*marks} <= {None, 0}
            assert hand.step()
            assert house.counts.watermark(clock[0], kinds=kinds, is_fast=True) == NOW_US - LAG_US
            for clock[0] in (NOW_US, NOW_US + SETTLE_US):
                assert hand.step()
            assert hand.unsent_bytes() == 0
            assert not list(tmp_path.glob("access.log.*.*"))
        check(house, [*requests, requests[0]])


class Flipping(httpx.BaseTransport):
    """The way to an intake, on which one bit of the first bodies is turned over."""

    def __init__(self, first: int) -> None:
        self._through, self.left = httpx.HTTPTransport(), first

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        if body and self.left > 0:
            self.left -= 1
            body = body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]
        changed = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        return self._through.handle_request(changed)

    def close(self) -> None:
        self._through.close()


def test_what_is_changed_on_the_way_is_refused_and_sent_again(tmp_path: Path) -> None:
    body = segment(as_lines(history()))
    end = len(as_lines(history()))
    with control_plane(tmp_path) as (house, address):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        way = Flipping(2)
        with httpx.Client(base_url=address, headers=headers, transport=way) as client:
            assert Uplink(client, PATIENCE).send(told(0, end), body) == Filed(end)
        assert way.left == 0
        check(house, history())


def test_a_recorder_outlives_a_full_disk_and_hands_in_each_line_once(tmp_path: Path) -> None:
    node = tmp_path / "node"
    acknowledge(node / "acknowledgements.jsonl")
    with control_plane(tmp_path) as (house, address):
        write(node, as_lines(history()))
        program = [sys.executable, "-m", "tests.agent.full_disk", str(node), address]
        done = subprocess.run(program, cwd=ROOT, timeout=60, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "a step of recording failed" in done.stdout
        check(house, history())
