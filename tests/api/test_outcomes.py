"""Outcomes: on the disk before 202, refused with a reason, and counted once whoever dies and repeats."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from rollout.agent import converters, uplink
from rollout.agent.log import Log
from rollout.agent.recorder import Recorder, Stream
from rollout.agent.spool import Spool, SpoolBroken, SpoolFull
from rollout.agent.uplink import Uplink
from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.outcomes import LARGEST_BODY, outcomes_router
from rollout.domain.records import Stratum, Successes
from rollout.lake.query import Kind, Lake
from tests.agent.node import control_plane
from tests.api.doomed import NOW_US, door
from tests.api.serving import TOKEN, serving
from tests.command import ROOT
from tests.lake.histories import BEGIN_US, CLOSING, HASHING, RUN, file_exposures, request_at

ONE = {"unit": "ada", "metric": "bought", "ts_us": BEGIN_US + 1, "value": 1, "key": "order 7"}
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    entrance = door(tmp_path)
    with (
        serving(
            create_app([outcomes_router(entrance, bearer(["another token, also good", TOKEN]))])
        ) as address,
        uplink.connect(address, TOKEN) as found,
    ):
        yield found
    entrance.spool.close()


def spooled(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "outcomes.jsonl").read_text().splitlines()]


def test_one_a_list_and_lines_are_on_the_disk_when_answered(client: httpx.Client, tmp_path: Path) -> None:
    first = client.post("/v1/outcomes", json=ONE)
    assert (first.status_code, first.json()) == (202, {"accepted": 1, "refused": 0, "problems": []})
    assert spooled(tmp_path) == [
        {
            "unit": HASHING.unit("ada"),
            "metric": "bought",
            "ts_us": BEGIN_US + 1,
            "value_u": 1_000_000,
            "idem_key": HASHING.key_of("korder 7"),
        }
    ]
    assert (
        client.post("/v1/outcomes", json=[ONE, {**ONE, "unit": " ada\t", "value": 0}]).json()["accepted"] == 2
    )
    lines = "\n".join(json.dumps({**ONE, "unit": unit}) for unit in ("Zoë", "用户", "🦊")) + "\n\n"
    assert client.post("/v1/outcomes", content=lines, headers=LINES).json()["accepted"] == 3
    found = spooled(tmp_path)
    assert len(found) == 6
    assert found[2]["unit"] == found[0]["unit"], "blanks at both ends do not count"
    assert "ada" not in (tmp_path / "outcomes.jsonl").read_text(), "no raw id is written"
    assert client.post("/v1/outcomes", json=[]).json() == {"accepted": 0, "refused": 0, "problems": []}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metric": "bougth"}, "did you mean 'bought'"),
        ({"metric": "revenue"}, "no running policy names it"),
        ({"value": 0.5}, "must be 0 or 1"),
        ({"value": "1"}, "Expected `float`"),
        ({"ts_us": NOW_US + 301_000_000}, "5 minutes ahead"),
        ({"ts_us": NOW_US // 1_000_000}, "90 days ago"),
        ({"unit": " \t"}, "not blank"),
        ({"unit": "x" * 513}, "512 characters"),
        ({"experiment": "ranker"}, "unknown field"),
    ],
)
def test_each_wrong_item_is_refused_with_its_reason(
    client: httpx.Client, tmp_path: Path, change: dict[str, object], why: str
) -> None:
    answer = client.post("/v1/outcomes", json=[ONE, {**ONE, **change}, ONE])
    assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (202, 2, 1)
    (problem,) = answer.json()["problems"]
    assert problem["item"] == 1
    assert why in problem["detail"]
    assert client.post("/v1/outcomes", json={**ONE, **change}).status_code == 422
    assert len(spooled(tmp_path)) == 2


def test_what_is_no_outcome_too_much_or_without_a_token_is_refused(client: httpx.Client) -> None:
    assert client.post("/v1/outcomes", content=b"junk").status_code == 422
    assert client.post("/v1/outcomes", content=b"[1,").status_code == 422
    assert client.post("/v1/outcomes", content=b"{}\n" * 10_001, headers=LINES).status_code == 413
    assert client.post("/v1/outcomes", content=bytes(LARGEST_BODY + 1)).status_code == 413
    for header in ({"Authorization": "Bearer wrong token, but long"}, {"Authorization": TOKEN}):
        refused = client.post("/v1/outcomes", json=ONE, headers=header)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    good = {"Authorization": "Bearer another token, also good"}
    assert client.post("/v1/outcomes", json=ONE, headers=good).status_code == 202
    assert client.get("/healthz", headers={"Authorization": ""}).json() == {"status": "fine"}


async def report(address: str, name: str, note: Callable[[str], None]) -> None:
    """Report outcome after outcome, each twice, until the door is gone."""
    async with httpx.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
    ) as client:
        for number in range(100_000):
            unit = f"{name} {number}"
            for _ in range(2):
                try:
                    answer = await client.post("/v1/outcomes", json={**ONE, "unit": unit, "key": unit})
                except httpx.TransportError:
                    return
                if answer.status_code == httpx.codes.ACCEPTED:
                    note(unit)


def test_a_kill_loses_nothing_that_was_answered_and_counts_nothing_twice(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    program = [sys.executable, "-m", "tests.api.doomed", str(tmp_path)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        address = doomed.stdout.readline().strip()

        def note(unit: str) -> None:
            acknowledged.add(unit)
            if len(acknowledged) == 200:
                doomed.kill()

        async def everyone() -> None:
            await asyncio.gather(*(report(address, f"caller {n}", note) for n in range(8)))

        asyncio.run(everyone())
    assert len(acknowledged) >= 200
    with (tmp_path / "outcomes.jsonl").open("ab") as stream:
        stream.write(b'{"unit":1,"metric":"bou')  # torn by the kill, acknowledged to nobody
    entrance = door(tmp_path)
    with control_plane(tmp_path) as (house, intake), uplink.connect(intake, TOKEN) as client:
        log = Log(tmp_path / "outcomes.jsonl", reopen=entrance.spool.reopen, settle_us=0)
        stream_of = Stream(Kind.OUTCOMES, "node-1", log, converters.outcomes(), lambda: 0, tmp_path)
        hand = Recorder(stream_of, Uplink(client), now_us=lambda: NOW_US)
        assert hand.step()
        log.rotate(NOW_US)
        assert hand.step()
        assert not list(tmp_path.glob("outcomes.jsonl.*.*"))
        assert [(mark.kind, mark.bad_lines) for mark in house.counts.nodes()] == [("outcomes", 0)]
        asyncio.run(
            entrance.spool.append(b'{"unit":1,"metric":"bought","ts_us":2,"value_u":3,"idem_key":4}\n')
        )
        assert hand.step()
        entrance.spool.close()
        file_exposures(
            tmp_path / "lake", [request_at(0, unit=unit) for unit in sorted(acknowledged)], node="node-9"
        )
        day = BEGIN_US // 86_400_000_000
        found = Lake(house.folder / "lake").binary(RUN, "bought", CLOSING)
        assert found == {Stratum("control", 1, day): Successes(len(acknowledged), len(acknowledged))}


def test_callers_share_a_sync_and_too_much_at_once_is_refused(tmp_path: Path) -> None:
    async def many() -> list[BaseException | None]:
        spool = Spool(tmp_path / "spool", largest_waiting=100)
        found = await asyncio.gather(
            *(spool.append(b"%039d\n" % n) for n in range(3)), return_exceptions=True
        )
        await spool.append(b"later\n")
        spool.close()
        with pytest.raises(SpoolBroken):
            await spool.append(b"closed\n")
        return found

    assert [type(one) for one in asyncio.run(many())] == [type(None), type(None), SpoolFull]
    assert [int(line) for line in (tmp_path / "spool").read_bytes().split(b"\n")[:2]] == [0, 1]


def test_a_disk_that_refuses_is_never_called_durable(tmp_path: Path) -> None:
    (tmp_path / "spool").symlink_to("/dev/full")

    async def fail() -> None:
        spool = Spool(tmp_path / "spool")
        for _ in range(2):
            with pytest.raises(SpoolBroken):
                await spool.append(b"line\n")
        spool.close()

    asyncio.run(fail())


@pytest.mark.parametrize("torn", [b"", b"torn", b"x" * 70_000, b"x" * (2**16), b"x" * (2**17 - 6)])
def test_a_torn_tail_of_any_length_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    file = tmp_path / "spool"
    for whole in (b"", b"line\n" * 3):
        file.write_bytes(whole + torn)
        Spool(file).close()
        assert file.read_bytes() == whole
