"""HTTP/2, which strips nothing: a padded unit must not be another unit in another arm."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rollout.domain.assignment import CONTROL, assign
from tests.envoy.examples import logged, placed, policy_for, running
from tests.envoy.upstream import serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS = 1, 4
END_OF_STREAM_AND_HEADERS = 5


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str) -> bytes:
    """Return a header field as HPACK's literal without indexing and without Huffman (RFC 7541, 6.2.2)."""
    parts = (name.encode(), value.encode())
    return b"\0" + b"".join(bytes([len(part)]) + part for part in parts)


def ask(port: int, unit: str) -> None:
    fields = {":method": "GET", ":scheme": "http", ":path": "/churn", ":authority": "h", "x-user-id": unit}
    block = b"".join(literal(name, value) for name, value in fields.items())
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_OF_STREAM_AND_HEADERS, 1, block)
        )
        received = b""
        while b"x-user-id" not in received:  # the server's answer repeats what it saw
            received += connection.recv(65_536)


@pytest.mark.parametrize("unit", ["somebody", " somebody", "somebody\t", " ", "\t", "ü 漢"])
def test_a_padded_unit_is_outside(unit: str, tmp_path: Path) -> None:
    with serving(CONTROL) as baseline, running(tmp_path) as (proxy, port):
        placement = placed(policy_for(baseline.url, baseline.url), 3)
        proxy.publish([placement])
        ask(port, unit)
        line = logged(proxy, 1)[0]
    is_padded = unit != unit.strip(" \t")
    assert line["route"] == assign(placement, None if is_padded else unit)
    assert line["unit"] == (None if is_padded else unit)
