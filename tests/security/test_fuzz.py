"""Random requests: Envoy's log and the upstream count the same ones, and every byte between them is clean."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.envoy.examples import until
from tests.security.exposed import exposed
from tests.security.test_smuggling import HIDDEN, REFUSED, TAKEN

SEEDS = range(2)
REQUESTS = 250
CLIENTS = 32
ENDS = (b"\r\n", b"\n", b"\r", b"\r\n\t", b" \r\n", b"\0\r\n", b"\x0b\r\n")
PIECES = (
    *(b"content-length: 0", b"content-length: 4", b"content-length:%d" % len(HIDDEN), b"Content-Length: 1,1"),
    *(b"transfer-encoding: chunked", b"Transfer-Encoding:chunked", b"transfer-encoding: identity"),
    *(
        b"transfer-encoding : chunked",
        b"x: y",
        b"connection: keep-alive, content-length",
        b"expect: 100-continue",
    ),
    *(b"host: users.example", b"upgrade: websocket", b"connection: upgrade", b"te: trailers", b"trailer: x"),
)
BODIES = (
    b"",
    b"0\r\n\r\n",
    b"4\r\nabcd\r\n0\r\n\r\n",
    b"4;a=b\r\nabcd\r\n0\r\n\r\n",
    b"abcd",
    b"0\n\n",
    HIDDEN,
)


def drawn(chance: random.Random) -> bytes:
    """Return a request made of pieces, or a known one with some bytes changed, and often one behind it."""
    if chance.random() < 0.5:
        lines = [
            b"POST /churn HTTP/1.1",
            b"host: users.example",
            *chance.choices(PIECES, k=chance.randrange(5)),
        ]
        made = b"".join(line + (chance.choice(ENDS) if chance.random() < 0.2 else b"\r\n") for line in lines)
        made += b"\r\n" + chance.choice(BODIES)
    else:
        known = [*REFUSED.values(), *(sent for sent, _ in TAKEN.values())]
        changed = bytearray(chance.choice(known))
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(changed))
            changed[place : place + chance.randrange(2)] = chance.choice(
                (b"", b"\r", b"\n", b" ", b":", b"\0", b"0")
            )
        made = bytes(changed)
    return made + chance.choice((b"", HIDDEN))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_envoy_and_the_upstream_count_the_same_requests(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (repeatable)
    sent = [drawn(chance) for _ in range(REQUESTS)]
    with exposed(tmp_path) as front, ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda one: front.send(one, within_s=2.0), sent))
        seen = [one for server in front.servers.values() for one in server.seen]
        log = front.proxy.access_log

        def asked() -> int:
            return sum(line["att"] >= 1 for line in front.lines(0))

        assert until(lambda: log.exists() and asked() >= len(seen))
        answered = sum(line["code"] == 200 for line in front.lines(0))
        strange = [line for server in front.servers.values() for line in server.strange]
    assert strange == []
    assert 0 < answered <= len(seen) <= asked(), "one line of the log for each request that arrived"
    for one in seen:
        assert not [line for line in one.lines if b"\r" in line or b"\n" in line or b"\0" in line]
        assert len(one.values("host")) == 1
