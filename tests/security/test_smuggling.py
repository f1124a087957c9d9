"""Request smuggling: Envoy and the upstream never disagree about where a request ends."""

from __future__ import annotations

import pytest

from tests.security.exposed import UNIT, Exposed, codes

HIDDEN = b"GET /churn/smuggled HTTP/1.1\r\nhost: users.example\r\n\r\n"
POST = b"POST /churn HTTP/1.1\r\nhost: users.example\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
LENGTH = b"content-length: %d\r\n" % len(HIDDEN)
LAST = b"0\r\n\r\n"

REFUSED = {
    "a length and chunks": POST + b"content-length: 6\r\n" + CHUNKED + b"\r\n" + LAST + HIDDEN,
    "chunks and a length": (
        POST + CHUNKED + b"content-length: 4\r\n\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n" + LAST
    ),
    "chunks after a tab, and a length": (
        POST + b"transfer-encoding:\tchunked\r\ncontent-length: 0\r\n\r\n" + HIDDEN
    ),
    "two lengths": POST + b"content-length: 0\r\n" + LENGTH + b"\r\n" + HIDDEN,
    "one length twice": POST + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello" + HIDDEN,
    "a list of lengths": POST + b"content-length: 5, 5\r\n\r\nhello" + HIDDEN,
    "a signed length": POST + b"content-length: +0\r\n\r\n" + HIDDEN,
    "a negative length": POST + b"content-length: -1\r\n\r\n" + HIDDEN,
    "a hexadecimal length": POST + b"content-length: 0x0\r\n\r\n" + HIDDEN,
    "a length beyond any number": POST + b"content-length: 99999999999999999999999\r\n\r\n" + HIDDEN,
    "a blank before the colon": POST + b"content-length : 0\r\n\r\n" + HIDDEN,
    "a blank in a name": POST + b"content length: 0\r\n\r\n" + HIDDEN,
    "a name of nothing": POST + b": 0\r\n\r\n" + HIDDEN,
    "a NUL in a name": POST + b"content\0-length: 0\r\n\r\n" + HIDDEN,
    "an underscore in a name": POST + b"transfer_encoding: chunked\r\n" + LENGTH + b"\r\n" + HIDDEN,
    "another coding": POST + b"transfer-encoding: xchunked\r\n\r\n" + LAST + HIDDEN,
    "two codings": POST + CHUNKED + b"transfer-encoding: identity\r\n\r\n" + LAST + HIDDEN,
    "a list of codings": POST + b"transfer-encoding: gzip, chunked\r\n\r\n" + LAST + HIDDEN,
    "a coding after a vertical tab": POST + b"transfer-encoding: \x0bchunked\r\n\r\n" + LAST + HIDDEN,
    "a folded coding and a length": POST + b"transfer-encoding:\r\n chunked\r\n" + LENGTH + b"\r\n" + HIDDEN,
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n" + LAST + HIDDEN,
    "HTTP/0.9": b"GET /churn\r\n\r\n" + HIDDEN,
    "a blank in the target": b"GET /churn /smuggled HTTP/1.1\r\nhost: users.example\r\n\r\n" + HIDDEN,
    "no host": b"GET /churn HTTP/1.1\r\n\r\n" + HIDDEN,
    "a line feed in a chunk's extension": POST + CHUNKED + b"\r\n5;a\n\r\nhello\r\n" + LAST + HIDDEN,
    "a chunk that ends in its extension": (
        POST + CHUNKED + b"\r\n2;\nxx\r\n%x\r\n" % len(HIDDEN) + LAST + HIDDEN
    ),
    "chunks with bare line feeds": POST + CHUNKED + b"\r\n5\nhello\n0\n\n" + HIDDEN,
    "a negative chunk": POST + CHUNKED + b"\r\n-1\r\n" + HIDDEN,
    "a hexadecimal prefix": POST + CHUNKED + b"\r\n0x5\r\nhello\r\n" + LAST + HIDDEN,
    "a chunk beyond any number": POST + CHUNKED + b"\r\nfffffffffffffffff\r\n" + HIDDEN,
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_two_ways_reaches_nobody(front: Exposed, case: str) -> None:
    before = len(front.targets())
    received = front.send(REFUSED[case])
    (code,) = codes(received)
    assert 400 <= code < 600
    assert front.targets()[before:] == []


# Read in one way only, which is then written anew for the upstream: each with the bodies that it holds.
TAKEN = {
    "a request in a body": (POST + LENGTH + b"\r\n" + HIDDEN, [HIDDEN]),
    "a request in a chunk": (
        POST + CHUNKED + b"\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n" + LAST,
        [HIDDEN],
    ),
    "a chunk's extension": (POST + CHUNKED + b"\r\n5;a=b\r\nhello\r\n" + LAST, [b"hello"]),
    "trailers": (
        POST + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nx-rollout-unit: a\r\ncontent-length: 9\r\n\r\n",
        [b"hello"],
    ),
    "bare line feeds": ((POST + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + HIDDEN, [HIDDEN]),
    "a length behind a bare line feed": (POST + b"x-a: b\n" + LENGTH + b"\r\n" + HIDDEN, [HIDDEN]),
    "a length behind a bare carriage return": (POST + b"x-a: b\r" + LENGTH + b"\r\n" + HIDDEN, [b"", b""]),
    "a length in a folded line": (POST + b"x-a: b\r\n\t" + LENGTH + b"\r\n" + HIDDEN, [b"", b""]),
    "blank lines before": (b"\r\n\r\n" + POST + LENGTH + b"\r\n" + HIDDEN, [HIDDEN]),
    "two requests at once": (POST + b"\r\n" + HIDDEN, [b"", b""]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_taken_arrives_as_it_was_answered(front: Exposed, case: str) -> None:
    sent, bodies = TAKEN[case]
    servers = front.servers.values()
    before = {server.name: len(server.seen) for server in servers}
    received = front.send(sent)
    assert codes(received) == [200] * len(bodies), "as many answers as requests: none is hidden"
    seen = [one for server in servers for one in server.seen[before[server.name] :]]
    assert [one.body for one in seen] == bodies
    assert not [server.strange for server in servers if server.strange]
    for one in seen:
        assert not [line for line in one.lines if b"\r" in line or b"\n" in line or b"\0" in line]
        names = [name for name, _ in one.fields]
        assert "x-rollout-unit" not in names
        assert names.count("host") == 1
        assert names.count("content-length") + names.count("transfer-encoding") <= 1


def test_a_request_in_a_units_value_is_a_value(front: Exposed) -> None:
    before = len(front.targets())
    hidden = HIDDEN.replace(b"\r\n", b" ").decode()
    received = front.send(POST + f"{UNIT}: {hidden}\r\n\r\n".encode())
    assert codes(received) == [200]
    assert front.targets()[before:] == ["/churn"]
