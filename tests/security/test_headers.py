"""Headers: what a client writes into its unit forges neither a header nor a line of the log."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rollout.envoy.access_log import FIELDS
from tests.envoy.test_http2 import HEADERS, PREFACE, SETTINGS, frame, literal
from tests.security.exposed import HOST, UNIT, Exposed, codes, exposed, head

REFUSED_UNITS = {
    "NUL": b"u\0v",
    "escape": b"u\x1b[31m",
    "delete": b"u\x7f",
    "vertical tab": b"u\x0bv",
}
# What is sent, and the unit that the upstream and the log get.
UNITS = {
    "a quote": (b'u","code":200,"x":"', 'u","code":200,"x":"'),
    "a backslash": (b"u\\", "u\\"),
    "a backslash and n": (b"u\\nx-forged: 1", "u\\nx-forged: 1"),
    "a tab": (b"u\tv", "u\tv"),
    "a folded line": (b"u\r\n\tx-forged: 1", "u\tx-forged: 1"),
    "a bare carriage return": (b"u\rx-forged: 1", "ux-forged: 1"),
    "Envoy's operators": (b"%REQ(authorization)% %% %n", "%REQ(authorization)% %% %n"),
    "unicode line ends": ("u\u2028\u2029\u0085v".encode(), "u\u2028\u2029\u0085v"),
    "unicode": ("Zoë 用户 🦊 \u202eabc".encode(), "Zoë 用户 🦊 \u202eabc"),
    "invalid UTF-8": (b"\xff\xfe\xed\xa0\x80\xc0\xaf", "\xff\xfe\xed\xa0\x80\xc0\xaf"),
    "very long": (b"u" * 12_000, "u" * 12_000),
}
BEHIND = b"GET /churn HTTP/1.1\r\nhost: users.example\r\nconnection: close\r\n"


def with_unit(value: bytes) -> bytes:
    return BEHIND + UNIT.encode() + b": " + value + b"\r\n\r\n"


@pytest.mark.parametrize("case", REFUSED_UNITS)
def test_control_characters_are_refused(front: Exposed, case: str) -> None:
    before = len(front.targets())
    assert codes(front.send(with_unit(REFUSED_UNITS[case]))) == [400]
    assert front.targets()[before:] == []


def test_no_unit_forges_a_header_or_a_line(tmp_path: Path) -> None:
    with exposed(tmp_path) as front:
        for sent, _ in UNITS.values():
            assert codes(front.send(with_unit(sent))) == [200]
        lines = front.lines(len(UNITS))
        raw = front.proxy.access_log.read_bytes()
    assert [line["unit"] for line in lines] == [expected for _, expected in UNITS.values()]
    assert [list(line) for line in lines] == [sorted(field.name for field in FIELDS)] * len(UNITS)
    assert raw.count(b"\n") == len(UNITS), "a line for each request, and no more"
    seen = front.servers["/churn"].seen
    for one in seen:
        assert len(one.values("x-rollout-variant")) == 1
        assert one.values("x-rollout-unit") == one.values(UNIT)
        assert "x-forged" not in [name for name, _ in one.fields]
    assert len(seen) == len(UNITS)


def test_a_bare_line_feed_ends_a_unit_and_adds_only_what_a_client_may_add(front: Exposed) -> None:
    forging = with_unit(b"somebody\nx-rollout-variant: candidate1\nX-Rollout-Unit: another\nx-own: 1")
    assert codes(front.send(forging)) == [200]
    seen = front.servers["/churn"].seen[-1]
    assert seen.values("x-rollout-unit") == seen.values(UNIT) == [b"somebody"]
    assert len(seen.values("x-rollout-variant")) == 1
    assert seen.values("x-own") == [b"1"], "which it could have sent as a header anyway"


def test_a_clients_own_rollout_headers_are_taken_away(front: Exposed) -> None:
    names = ("x-rollout-variant", "X-ROLLOUT-VARIANT", "x-Rollout-Unit", "x-rollout-shadow", "X-Rollout-New")
    forged = [f"{name}: forged {number}" for number, name in enumerate(names * 2)]
    for unit in ([], [f"{UNIT}: somebody"]):
        assert codes(front.send(head("/churn", *forged, *unit))) == [200]
        fields = dict(front.servers["/churn"].seen[-1].fields)
        ours = {name: value for name, value in fields.items() if "rollout" in name}
        assert not [value for value in ours.values() if b"forged" in value]
        assert set(ours) == {"x-rollout-variant", "x-rollout-unit"} if unit else {"x-rollout-variant"}


def test_a_doubled_unit_is_one_unit_for_the_log_and_the_upstream(tmp_path: Path) -> None:
    with exposed(tmp_path) as front:
        assert codes(front.send(head("/churn", f"{UNIT}: first", f"{UNIT.upper()}: second"))) == [200]
        (line,) = front.lines(1)
        (seen,) = front.servers["/churn"].seen
    assert line["unit"].encode() == seen.values("x-rollout-unit")[0] == b"first"
    assert seen.values(UNIT) == [b"first", b"second"]


@pytest.mark.parametrize("name", ["x_rollout_variant", "X_Rollout-Unit", "x-rollout_unit", "x_user_id"])
def test_a_name_with_an_underscore_is_refused(front: Exposed, name: str) -> None:
    assert codes(front.send(head("/churn", f"{name}: forged"))) == [400]


def test_a_client_steers_neither_attempts_nor_time_limits(front: Exposed) -> None:
    steering = (
        *("retry-on: 5xx", "max-retries: 9", "upstream-rq-timeout-ms: 1", "original-path: /other"),
        *("upstream-rq-per-try-timeout-ms: 1", "internal: true", "force-trace: 1"),
    )
    assert codes(front.send(head("/churn", *(f"x-envoy-{one}" for one in steering)))) == [200]
    names = {name for name, _ in front.servers["/churn"].seen[-1].fields}
    assert not names & {f"x-envoy-{one.partition(':')[0]}" for one in steering}


@pytest.mark.parametrize(
    "fat",
    [
        head("/churn", "x-fat: " + "a" * 20_000),
        head("/churn?" + "a" * 20_000),
        head("/churn", *(f"x-fat-{number}: a" for number in range(80))),
        head("/churn", f"{UNIT}: " + "u" * 20_000),
    ],
    ids=["one", "target", "many", "unit"],
)
def test_oversized_headers_are_refused(front: Exposed, fat: bytes) -> None:
    before = len(front.targets())
    assert codes(front.send(fat)) == [431]
    assert front.targets()[before:] == []


def test_a_large_body_passes_without_being_held(front: Exposed) -> None:
    body = b"x" * (4 * 2**20)  # four times what a connection may hold
    sent = head("/churn", f"content-length: {len(body)}", method="POST") + body
    assert codes(front.send(sent)) == [200]
    assert front.servers["/churn"].seen[-1].body == body


@pytest.mark.parametrize(
    ("start", "hosts", "asked"),
    [
        ("GET /churn", ["users.example"], "/churn"),
        ("GET /churn", [HOST], HOST),
        ("GET /churn", ["PRIVATE.example:80"], HOST),
        ("GET /churn", ["users.example", HOST], "/churn"),
        ("GET /churn", [HOST, "users.example"], "/churn"),
        ("GET /churn", [f"users.example,{HOST}"], "/churn"),
        ("GET /churn", [f"{HOST}@users.example"], "/churn"),
        ("GET /churn", [f"users.example@{HOST}"], "/churn"),
        (f"GET http://{HOST}/churn", ["users.example"], HOST),
        ("GET http://users.example/churn", [HOST], "/churn"),
        (f"GET http://users.example/churn?http://{HOST}/", ["users.example"], "/churn"),
    ],
)
def test_one_host_is_routed_and_no_other_is_passed_on(
    front: Exposed, start: str, hosts: list[str], asked: str
) -> None:
    lines = [f"{start} HTTP/1.1", *(f"host: {host}" for host in hosts), "connection: close"]
    received = front.send("\r\n".join(lines).encode() + b"\r\n\r\n")
    assert codes(received) == [200]
    assert received.endswith(asked.encode())
    server = front.servers[asked]
    assert server.seen[-1].values("host") == [server.url.removeprefix("http://").encode()]


def test_no_other_protocol_is_spoken_to_an_upstream(front: Exposed) -> None:
    asked = head("/churn", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__").replace(
        b": close", b": upgrade"
    )
    assert codes(front.send(asked)) == [200]
    assert "upgrade" not in [name for name, _ in front.servers["/churn"].seen[-1].fields]
    for target in (b"127.0.0.1:22", b"/churn", b"users.example:80"):
        (code,) = codes(front.send(b"CONNECT " + target + b" HTTP/1.1\r\nhost: users.example\r\n\r\n"))
        assert code in {400, 404}


FORGING = [
    (UNIT, "u\r\nx-forged: 1"),
    (UNIT, "u\nx-forged: 1"),
    (UNIT, "u\0"),
    ("x-a\r\nx-forged", "1"),
    ("x-a:b", "1"),
    ("X-Upper", "1"),
    ("x_user_id", "1"),
    ("transfer-encoding", "chunked"),
    ("connection", "close"),
    (":path", "/other"),
    ("", "1"),
]


@pytest.mark.parametrize(("name", "value"), FORGING)
def test_http2_forges_nothing_that_http1_could_not(front: Exposed, name: str, value: str) -> None:
    before = len(front.targets())
    ask_http2(front.port, (name, value))
    assert front.targets()[before:] == []
    ask_http2(front.port, ("x-fine", "1"))
    assert front.targets()[before:] == ["/churn"], "nothing else is wrong with such a request"


def ask_http2(port: int, more: tuple[str, str]) -> None:
    """Ask once, with one header more, and return at the end of the stream or of the connection."""
    fields = [(":method", "GET"), (":scheme", "http"), (":path", "/churn"), (":authority", "users.example")]
    block = b"".join(literal(*one) for one in [*fields, more])
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 5, 1, block))
        while not _has_ended(received):
            part = connection.recv(65_536)
            if not part:
                return
            received += part


def _has_ended(received: bytes) -> bool:
    """Whether the first stream, or the connection, was ended."""
    while len(received) >= 9:
        size = int.from_bytes(received[:3], "big")
        kind, flags, stream = received[3], received[4], int.from_bytes(received[5:9], "big")
        if kind in {3, 7} or (stream == 1 and flags & 1):
            return True
        received = received[9 + size :]
    return False
