"""Outcomes: on the disk before 202, refused with a reason, and counted once whoever dies and repeats."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import HTTPException, Request

from rollout.agent import converters, uplink
from rollout.agent.log import Log
from rollout.agent.recorder import Recorder, Stream
from rollout.agent.spool import PAUSE_S, Spool, SpoolBroken, SpoolFull
from rollout.agent.uplink import Uplink
from rollout.api.access import application_of, bearer
from rollout.api.allowance import Allowance
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.body import Room, read_packed
from rollout.api.desk import Desk
from rollout.api.experiments import experiments_router
from rollout.api.outcomes import LARGEST_BODY, outcomes_router
from rollout.api.told import FRESH_S, Meaning, Remembered, Wanted, wanted
from rollout.domain.metric import MetricType
from rollout.errors import WrongSettings
from rollout.lake.segments import Kind
from tests.agent.node import control_plane
from tests.api.doomed import METRICS, NOW_US, door
from tests.api.serving import TOKEN, serving
from tests.command import ROOT
from tests.domain.examples import POLICY
from tests.lake.cold import Lake, Stratum, Successes
from tests.lake.histories import BEGIN_US, CLOSING, HASHING, RUN, file_exposures, request_at

ONE = {"unit": "ada", "metric": "bought", "ts_us": BEGIN_US + 1, "value": 1, "key": "order 7"}
LINES = {"Content-Type": "application/x-ndjson"}
GOAL = POLICY.metrics[0]
NO_DESK = cast("Desk", object())
"""Nothing here reaches it: it would answer 500."""


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    entrance = door(tmp_path)
    with (
        serving(
            create_app(
                [
                    outcomes_router(
                        entrance, application_of(["another token, also good", TOKEN], Applications())
                    )
                ]
            )
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
            "idem_key": HASHING.key_of("default korder 7"),
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
        ({"metric": "churned"}, "no running policy asks for it"),
        ({"value": 0.5}, "must be 0 or 1"),
        ({"value": -1}, "must be 0 or 1"),
        ({"metric": "visits", "value": 1.5}, "whole number"),
        ({"metric": "visits", "value": -1}, "not negative"),
        ({"metric": "revenue", "value": 4_000_001}, "within ±4000000"),
        ({"metric": "views", "value": -1}, "at least 0"),
        ({"metric": "both", "value": 5e6}, "0 or 1 for a binary metric or within"),
        ({"ts_us": 10**30}, "5 minutes ahead"),
        ({"key": ""}, "or left out"),
        ({"key": "k" * 513}, "512 characters"),
        ({"value": "1"}, "Expected `float`"),
        ({"ts_us": NOW_US + 301_000_000}, "5 minutes ahead"),
        (
            {"ts_us": NOW_US // 1_000_000},
            "90 days ago to 5 minutes ahead (got 1728000018: these look like sec",
        ),
        ({"ts_us": NOW_US - 91 * 86_400_000_000}, "leave out what is older"),
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
    assert client.post("/v1/outcomes", content=b"\n" * 20_001, headers=LINES).status_code == 413
    assert client.post("/v1/outcomes", content=b"[" + b"1," * 10_000 + b"1]").status_code == 413
    assert client.post("/v1/outcomes", content=b"[" + b"1," * 200_000 + b"1]").status_code == 413
    assert client.post("/v1/outcomes", content=bytes(LARGEST_BODY + 1)).status_code == 413
    for header in ({"Authorization": "Bearer wrong token, but long"}, {"Authorization": TOKEN}):
        refused = client.post("/v1/outcomes", json=ONE, headers=header)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    good = {"Authorization": "Bearer another token, also good"}
    assert client.post("/v1/outcomes", json=ONE, headers=good).status_code == 202
    assert client.get("/healthz", headers={"Authorization": ""}).json() == {"status": "fine"}


def test_who_may_report_is_told_what_is_wanted(client: httpx.Client) -> None:
    answer = client.get("/v1/outcomes/metrics").json()
    assert answer["now_us"] == NOW_US
    assert {name: set(meanings) for name, meanings in answer["metrics"].items()} == {
        name: {one.name for one in meanings} for name, meanings in METRICS.items()
    }
    assert client.get("/v1/outcomes/metrics", headers={"Authorization": ""}).status_code == 401


def test_a_value_is_kept_when_some_policy_can_use_it(client: httpx.Client) -> None:
    told = [
        {**ONE, "metric": metric, "value": value}
        for metric, value in (("visits", 3), ("revenue", -9.5), ("views", 0.5), ("both", 12.5), ("both", 0))
    ]
    assert client.post("/v1/outcomes", json=told).json() == {"accepted": 5, "refused": 0, "problems": []}


def test_a_ratio_asks_for_two_outcomes_by_their_own_names() -> None:
    ratio = replace(GOAL, name="ctr", type=MetricType.RATIO, numerator="clicks", denominator="views")
    asked = wanted([ratio, GOAL, replace(GOAL, name="clicks", type=MetricType.COUNT)])
    assert asked == {
        "clicks": frozenset([Meaning.AMOUNT, Meaning.TIMES]),
        "views": frozenset([Meaning.DIVISOR]),
        GOAL.name: frozenset([Meaning.DID_IT]),
    }


def test_what_is_wanted_is_asked_once_for_all_who_wait_and_again_when_it_is_old() -> None:
    now, asked = [100.0], list[float]()

    def ask() -> Wanted:
        asked.append(now[0])
        return {f"metric {len(asked)}": frozenset([Meaning.DID_IT])}

    async def live() -> list[list[str]]:
        remembered = Remembered(ask, now_s=lambda: now[0])
        found = []
        for at_s in (100.0, 100.0 + FRESH_S, 101.0, 3600.0):
            now[0] = at_s
            found += [list(one) for one in await asyncio.gather(*(remembered.now() for _ in range(3)))]
        return found

    numbers = [1] * 6 + [2] * 3 + [3] * 3
    assert asyncio.run(live()) == [[f"metric {number}"] for number in numbers]
    assert asked == [100.0, 101.0, 3600.0]


def test_a_wrong_line_is_named_by_its_number_too(client: httpx.Client) -> None:
    lines = f"\n{json.dumps(ONE)}\n \r\n{json.dumps(ONE)}\r\n{{\n"
    answer = client.post("/v1/outcomes", content=lines, headers=LINES).json()
    assert (answer["accepted"], answer["refused"]) == (2, 1)
    assert [(one["item"], one["line"]) for one in answer["problems"]] == [(2, 5)]


def packed(content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Encoding": "gzip"}}


def test_a_packed_body_is_unpacked_and_never_beyond_the_limit(client: httpx.Client) -> None:
    whole = gzip.compress(json.dumps([ONE] * 1000).encode())
    assert client.post("/v1/outcomes", **packed(whole)).json()["accepted"] == 1000
    bomb = gzip.compress(bytes(8 * LARGEST_BODY), compresslevel=6)
    assert len(bomb) < LARGEST_BODY
    refused = client.post("/v1/outcomes", **packed(bomb))
    assert (refused.status_code, "send it in parts" in refused.json()["detail"]) == (413, True)
    for content, why in (
        (whole[:-9], "ends too early"),
        (b"", "ends too early"),
        (b"[]", "damaged, or no gzip"),
        (whole + whole, "follows its end"),
    ):
        refused = client.post("/v1/outcomes", **packed(content))
        assert (refused.status_code, why in refused.json()["detail"]) == (422, True), refused.text
    refused = client.post("/v1/outcomes", json=ONE, headers={"Content-Encoding": "br"})
    assert (refused.status_code, refused.headers["Accept-Encoding"]) == (415, "gzip, identity")
    refused = client.post("/v1/outcomes", content=b"<one/>", headers={"Content-Type": "text/xml"})
    assert (refused.status_code, "application/x-ndjson" in refused.json()["detail"]) == (415, True)


def test_a_bomb_is_not_held_while_it_is_refused() -> None:
    bomb = gzip.compress(bytes(64 * 2**20), compresslevel=6)

    async def unpack() -> int:
        """Return the most that was held."""

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": bomb, "more_body": False}

        scope = {"type": "http", "method": "POST", "headers": [(b"content-encoding", b"gzip")]}
        tracemalloc.start()
        with pytest.raises(HTTPException, match="413"), Room().share() as share:
            await read_packed(Request(scope, receive), 2**20, share)
        return tracemalloc.get_traced_memory()[1]

    try:
        assert asyncio.run(unpack()) < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_bodies_that_come_too_slowly_or_together_hold_too_much_are_refused() -> None:
    async def read(parts: list[bytes], room: Room) -> bytes:
        async def receive() -> dict[str, object]:
            if not parts:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": parts.pop(0), "more_body": True}

        with room.share() as share:
            return await read_packed(
                Request({"type": "http", "headers": []}, receive), 2**20, share, within_s=0.01
            )

    room = Room(100)
    with pytest.raises(HTTPException, match="408"):
        asyncio.run(read([b"x" * 60, b"x" * 40], room))
    with pytest.raises(HTTPException, match="503"):
        asyncio.run(read([b"x" * 60, b"x" * 41], room))
    with room.share() as share:
        share.take(100)  # all was given back


def test_an_application_that_reports_too_much_waits_and_no_other_does(tmp_path: Path) -> None:
    now = [0.0]
    tokens = tmp_path / "applications.toml"
    tokens.write_text("".join(f'{name} = "{digest_of(f"the token of {name}")}"\n' for name in ("a", "b")))
    entrance = replace(door(tmp_path), allowance=Allowance(10, 20, now_s=lambda: now[0]))
    router = outcomes_router(entrance, application_of([TOKEN], Applications(tokens)))
    with serving(create_app([router])) as address:

        def told(name: str, count: int) -> httpx.Response:
            with uplink.connect(address, f"the token of {name}") as client:
                return client.post("/v1/outcomes", json=[ONE] * count)

        assert told("a", 50).status_code == 202, "a batch may be larger than what is left"
        refused = told("a", 1)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "4")
        assert "'a'" in refused.json()["detail"]
        assert told("b", 1).status_code == 202
        now[0] = 3.5
        assert told("a", 1).status_code == 202
        assert told("a", 1).status_code == 202
        assert told("c", 1).status_code == 401
    entrance.spool.close()


def test_each_application_has_its_own_keys_and_reports_only(tmp_path: Path) -> None:
    tokens = tmp_path / "applications.toml"
    tokens.write_text(
        f'shop = ["{digest_of("the first token of shop")}", "{digest_of("and the next one")}"]\n'
    )
    entrance = door(tmp_path)
    known = Applications(tokens)
    app = create_app(
        [
            outcomes_router(entrance, application_of([TOKEN], known)),
            experiments_router(NO_DESK, bearer([TOKEN])),
        ]
    )
    with serving(app) as address:

        def status(token: str) -> int:
            with uplink.connect(address, token) as client:
                elsewhere = client.post("/v1/experiments/any/rollback", content=b"no wish").status_code
                assert elsewhere == (422 if token == TOKEN else 401), "it opens nothing else"
                return client.post("/v1/outcomes", json=ONE).status_code

        assert [status(one) for one in (TOKEN, "the first token of shop", "and the next one")] == [202] * 3
        keys = [one["idem_key"] for one in spooled(tmp_path)]
        assert keys[0] != keys[1] == keys[2]
        tokens.write_text(f'shop = "{digest_of("and the next one")}"\n')
        assert [status(one) for one in ("the first token of shop", "and the next one")] == [401, 202]
        tokens.unlink()
        assert [status(one) for one in ("and the next one", TOKEN)] == [401, 202]
    entrance.spool.close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("shop = 'a secret'", "64 hexadecimal digits"),
        ("shop = []", "64 hexadecimal digits"),
        ("shop = 'a secret", "not TOML"),
        (f"default = '{'a' * 64}'", "not 'default'"),
        (f"'a b' = '{'a' * 64}'", "name the application otherwise"),
        (f"shop = '{'a' * 64}'\nother = '{'a' * 64}'", "belongs to one application"),
        ("\n".join(f"a{n} = '{n:064x}'" for n in range(501)), "more than 500"),
    ],
)
def test_a_wrong_file_of_applications_is_refused_without_its_values(
    tmp_path: Path, content: str, why: str
) -> None:
    file = tmp_path / "applications.toml"
    file.write_text(content)
    with pytest.raises(WrongSettings, match=re.escape(why)) as caught:
        Applications(file)
    assert "secret" not in str(caught.value)
    with pytest.raises(WrongSettings, match="no such file"):
        Applications(tmp_path / "absent.toml")


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


def live_until_killed(folder: Path, life: int, answers: int) -> set[str]:
    """Let eight callers report to a door that is killed while they do; return what was acknowledged."""
    acknowledged: set[str] = set()
    program = [sys.executable, "-m", "tests.api.doomed", str(folder)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        address = doomed.stdout.readline().strip()

        def note(unit: str) -> None:
            acknowledged.add(unit)
            if len(acknowledged) == answers:
                doomed.kill()

        async def everyone() -> None:
            await asyncio.gather(*(report(address, f"life {life} caller {n}", note) for n in range(8)))

        asyncio.run(everyone())
    assert len(acknowledged) >= answers
    return acknowledged


@pytest.mark.parametrize(("lives", "answers"), [(1, 200), pytest.param(10, 50, marks=pytest.mark.slow)])
def test_kills_lose_nothing_that_was_answered_and_count_nothing_twice(
    tmp_path: Path, lives: int, answers: int
) -> None:
    acknowledged = {unit for life in range(lives) for unit in live_until_killed(tmp_path, life, answers)}
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
    synced: list[int] = []

    async def many() -> list[BaseException | None]:
        spool = Spool(tmp_path / "spool", largest_waiting=100, sync=synced.append)
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
    assert len(synced) == 2


def test_a_disk_that_refuses_is_never_called_durable(tmp_path: Path) -> None:
    (tmp_path / "spool").symlink_to("/dev/full")

    async def fail() -> None:
        now = [0.0]
        spool = Spool(tmp_path / "spool", now_s=lambda: now[0])
        for _ in range(4):
            with pytest.raises(SpoolBroken):
                await spool.append(b"line\n")
            now[0] += PAUSE_S / 2
        spool.close()

    asyncio.run(fail())


def test_what_cannot_be_written_is_answered_with_when_to_come_back(tmp_path: Path) -> None:
    entrance = door(tmp_path)
    entrance.spool.close()
    full = replace(entrance, spool=Spool(tmp_path / "small.jsonl", largest_waiting=1))
    for one, why in ((entrance, "cannot be written now"), (full, "the disk is behind")):
        app = create_app([outcomes_router(one, application_of([TOKEN], Applications()))])
        with serving(app) as address, uplink.connect(address, TOKEN) as client:
            refused = client.post("/v1/outcomes", json=ONE)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert why in refused.json()["detail"]
    full.spool.close()
    assert spooled(tmp_path) == []


def test_a_full_disk_refuses_until_there_is_room_and_loses_nothing(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.api.cramped", str(tmp_path / "spool")]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    acknowledged = json.loads(done.stdout.splitlines()[-1])
    assert len(acknowledged["before"]) == 9, "1,000 bytes hold nine lines of 100 bytes and part of one"
    assert acknowledged["meanwhile"] == []
    assert len(acknowledged["after"]) == 3
    lines = (tmp_path / "spool").read_text().splitlines()
    known = [int(line) for line in lines if len(line) == 99]
    assert known == acknowledged["before"] + acknowledged["after"]
    assert len(lines) == len(known) + 2, "the short one, and the line that was cut off costs only itself"


def test_after_a_failed_sync_only_a_new_file_is_trusted(tmp_path: Path) -> None:
    file, now = tmp_path / "outcomes.jsonl", [0.0]
    fails = [False]

    def sync(descriptor: int) -> None:
        if fails[0]:
            raise OSError(errno.EIO, "the disk said no")
        os.fsync(descriptor)

    async def told(spool: Spool, line: bytes) -> bool:
        now[0] += 2 * PAUSE_S
        try:
            await spool.append(line)
        except SpoolBroken:
            return False
        return True

    async def live() -> None:
        spool = Spool(file, sync=sync, now_s=lambda: now[0])
        log = Log(file, reopen=spool.reopen, settle_us=0, is_spoiled=lambda: spool.is_spoiled)
        assert await told(spool, b"before\n")
        (first,) = log.parts()
        fails[0] = True
        assert not await told(spool, b"unknown\n")
        fails[0] = False
        assert not await told(spool, b"the kernel may say yes now\n")
        log.heal(2)
        assert [(part.log == first.log, part.size) for part in log.parts()] == [(True, 15), (False, 0)]
        assert await told(spool, b"after\n")
        sealed, current = log.parts()
        assert (sealed.log, sealed.is_complete, current.is_complete) == (first.log, True, False)
        assert sealed.path.read_bytes() == b"before\nunknown\n"
        assert current.path.read_bytes() == b"after\n"
        spool.close()

    asyncio.run(live())


@pytest.mark.parametrize("torn", [b"", b"torn", b"x" * 70_000, b"x" * (2**16), b"x" * (2**17 - 6)])
def test_a_torn_tail_of_any_length_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    file = tmp_path / "spool"
    for whole in (b"", b"line\n" * 3):
        file.write_bytes(whole + torn)
        Spool(file).close()
        assert file.read_bytes() == whole
