"""A server that hangs, lies or breaks: an answer in time, with what is wrong, and never a measurement."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from pathlib import Path

import pytest

from rollout.prometheus.client import Answer, Prometheus
from rollout.prometheus.queries import Asking
from rollout.prometheus.server import Server, unset_address
from tests.domain.examples import POLICY
from tests.prometheus import broken
from tests.prometheus.broken import answers, good, http, matrix, serving, the_time
from tests.prometheus.runs import METRIC, running

TIMES = (1_000_000, 1_010_000, 1_020_000)
SECONDS = tuple(at / 1_000 for at in TIMES)
ASKING = Asking("gpu", TIMES, 10_000)
SECRET = "correct-horse-battery-staple"  # noqa: S105 (nobody's)


def ask(url: str, asking: Asking = ASKING, *, timeout_s: float = 20.0) -> Answer:
    (answer,) = Prometheus(Server(url, timeout_s=timeout_s)).ask([asking])
    return answer


def said(url: str, *, timeout_s: float = 20.0) -> str:
    """Ask a server that measures nothing, and return why."""
    answer = ask(url, timeout_s=timeout_s)
    assert answer.measured is None
    return str(answer.problem)


@pytest.mark.parametrize(
    "answering",
    [broken.silent, broken.drips_head, broken.drips_body, broken.drips_unsized],
    ids=lambda one: one.__name__,
)
def test_a_server_that_keeps_a_connection_is_left_at_the_deadline(answering: broken.Answering) -> None:
    """The server goes on until the test is over, so that only the deadline can end this."""
    with serving(answering) as url:
        assert "it has not answered within 0.3 s; see whether it is overloaded" in said(url, timeout_s=0.3)


@pytest.mark.parametrize("answering", [broken.silent, broken.drips_handshake], ids=lambda one: one.__name__)
def test_a_server_that_never_shakes_hands_is_left_too(answering: broken.Answering) -> None:
    with serving(answering, is_listening=False) as url:
        secure = url.replace("http://", "https://")
        assert "it has not answered within 0.3 s" in said(secure, timeout_s=0.3)


def test_a_server_that_never_accepts_is_left_too() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert "it has not answered within 0.2 s" in said(url, timeout_s=0.2)


def test_what_hangs_after_the_first_answer_has_the_same_deadline() -> None:
    def answering(connection: socket.socket, query: str, over: threading.Event) -> None:
        if query == "time()":
            connection.sendall(http(the_time()))
        elif query.startswith("slow"):
            over.wait(60)
        else:
            answers(http(matrix([[at, "0.5"] for at in SECONDS])), SECONDS)(connection, query, over)

    slow = [Asking(f"slow_{number}", TIMES, 10_000) for number in range(3)]
    with serving(answering) as url:
        found = Prometheus(Server(url, timeout_s=1.0)).ask([*slow, ASKING])
    assert [answer.measured is None for answer in found] == [True, True, True, False]
    assert "asked `slow_0`: it has not answered within 1 s" in str(found[0].problem)


def test_a_body_without_an_end_is_not_read_to_its_end() -> None:
    with serving(broken.endless) as url:
        assert "its answer is larger than 1 MiB; ask for one number, not for series" in said(url)


@pytest.mark.parametrize(
    ("answering", "problem"),
    [
        (broken.cut_short, "cannot be reached"),
        (broken.hangs_up, "cannot be reached"),
        (broken.garbage, "reached"),
    ],
)
def test_a_server_that_speaks_no_http_is_named(answering: broken.Answering, problem: str) -> None:
    with serving(answering) as url:
        assert problem in said(url)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert said(url) == f"Prometheus at {url}: it cannot be reached: connection refused; see whether it runs"


NOT_PROMETHEUS = "it answers, but not as Prometheus does"
ONE = [[at, "0.5"] for at in SECONDS]
BODIES = {
    "a page": (b"<html>welcome</html>", NOT_PROMETHEUS),
    "nothing": (b"", NOT_PROMETHEUS),
    "a list": (b"[1]", NOT_PROMETHEUS),
    "null": (b"null", NOT_PROMETHEUS),
    "no text": (b"\xff\xfe\x00", NOT_PROMETHEUS),
    "deeply nested": (b"[" * 100_000, NOT_PROMETHEUS),
    "without data": (b'{"status":"success"}', NOT_PROMETHEUS),
    "without result": (b'{"status":"success","data":{"resultType":"matrix"}}', NOT_PROMETHEUS),
    "a strange type": (good("tensor", []), NOT_PROMETHEUS),
    "a strange result": (good("matrix", {"a": 1}), NOT_PROMETHEUS),
    "strange series": (good("matrix", [7]), NOT_PROMETHEUS),
    "series without labels": (good("matrix", [{"values": ONE}]), NOT_PROMETHEUS),
    "series without values": (good("matrix", [{"metric": {}}]), NOT_PROMETHEUS),
    "numbers that are none": (matrix([[SECONDS[0], "1_0"]]), NOT_PROMETHEUS),
    "values that are no text": (matrix([[SECONDS[0], 0.5]]), NOT_PROMETHEUS),
    "times that are none": (matrix([["1000", "0.5"]]), NOT_PROMETHEUS),
    "an endless time": (matrix([[float("inf"), "0.5"]]), NOT_PROMETHEUS),
    "pairs of three": (matrix([[SECONDS[0], "0.5", 1]]), NOT_PROMETHEUS),
    "strange warnings": (matrix(ONE, warnings=7), NOT_PROMETHEUS),
    "packed": (gzip.compress(matrix(ONE)), NOT_PROMETHEUS),
    "text": (good("string", [SECONDS[0], "0.5"]), "the answer is text, not a number"),
    "a histogram": (good("matrix", [{"metric": {}, "histograms": []}]), "a histogram, not a number"),
    "a time twice": (matrix([[SECONDS[0], "1"], [SECONDS[0], "2"]]), "two values for one time"),
    "another time": (matrix([[SECONDS[0] + 0.5, "1"]]), "it answers for other times than were asked"),
    "not whole": (
        matrix(ONE, warnings=["store-2: no answer"]),
        "the answer is not whole: store-2: no answer",
    ),
    "an error with status 200": (b'{"status":"error","error":"x"}', NOT_PROMETHEUS),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_measurement_is_refused(name: str) -> None:
    body, problem = BODIES[name]
    with serving(answers(http(body), SECONDS)) as url:
        assert problem in said(url)


STATUSES = {
    "400 Bad Request": "it refuses the query: 1:5: parse error; correct the query",
    "401 Unauthorized": "it refuses us, with HTTP 401: 1:5: parse error; see prometheus_token",
    "404 Not Found": "it has no such page, HTTP 404; see whether prometheus_url is its address",
    "422 Unprocessable Entity": "it refuses the query: 1:5: parse error; correct the query",
    "429 Too Many Requests": "it is asked too much, HTTP 429: 1:5: parse error; ask less often",
    "500 Internal Server Error": "it cannot answer, HTTP 500: 1:5: parse error; see its log",
    "503 Service Unavailable": "it cannot answer, HTTP 503: 1:5: parse error; see its log",
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_refusal_is_told_once_and_never_tried_again(status: str) -> None:
    asked, body = list[str](), json.dumps({"status": "error", "error": "1:5: parse error"}).encode()

    def answering(connection: socket.socket, query: str, over: threading.Event) -> None:
        asked.append(query)
        answers(http(body, status))(connection, query, over)

    with serving(answering) as url:
        assert STATUSES[status] in said(url)
    assert asked == ["time()", "gpu"]


def test_a_server_with_another_time_is_asked_nothing_more() -> None:
    def answering(connection: socket.socket, query: str, _over: threading.Event) -> None:
        assert query == "time()"
        connection.sendall(http(the_time(off_s=-3_600)))

    with serving(answering) as url:
        assert "its clock and ours differ by 3600 s" in said(url)


def test_nobody_is_followed_elsewhere_and_no_token_goes_along() -> None:
    found, elsewhere_asked = list[str](), list[str]()

    def elsewhere(_connection: socket.socket, query: str, _over: threading.Event) -> None:
        elsewhere_asked.append(query)

    with (
        serving(elsewhere) as other,
        serving(
            lambda connection, _query, _over: connection.sendall(
                http(b"", "302 Found", f"Location: {other}/api/v1/query\r\n")
            )
        ) as url,
    ):
        found.append(said(url))
    assert elsewhere_asked == []
    assert "it sends us elsewhere, with HTTP 302; set prometheus_url to that address" in found[0]


def test_what_is_measured_is_measured() -> None:
    values = [[SECONDS[0], "0.5"], [SECONDS[1], "NaN"], [SECONDS[2], "1e-3"]]
    body = matrix(values, warnings=["PromQL info: metric might not be a counter"], infos=["x"])
    with serving(answers(http(body), SECONDS)) as url:
        answer = ask(url)
    assert answer.problem is None
    assert answer.measured is not None
    assert (answer.measured.values, answer.measured.until_ms) == ({TIMES[0]: 0.5, TIMES[2]: 0.001}, TIMES[2])


def test_an_instant_is_asked_as_one() -> None:
    with serving(answers(http(good("vector", [{"metric": {}, "value": [1_000, "2"]}])), SECONDS[:1])) as url:
        answer = ask(url, Asking("gpu", TIMES[:1], 10_000))
    assert answer.measured is not None
    assert answer.measured.values == {TIMES[0]: 2.0}


@pytest.mark.parametrize("is_in_file", [True, False])
def test_a_token_is_sent_and_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_in_file: bool
) -> None:
    heads, file = list[str](), tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    own = {"token_file": file} if is_in_file else {"token": SECRET}
    refusing = answers(http(b"{}", "403 Forbidden"))
    with caplog.at_level(0), serving(refusing, heads) as url:
        server = Server(url, headers={"X-Scope-OrgID": f"org-{SECRET}"}, **own)
        (answer,) = Prometheus(server).ask([ASKING])
    assert len(heads) == 2
    for head in heads:
        assert f"Authorization: Bearer {SECRET}" in head
        assert f"X-Scope-OrgID: org-{SECRET}" in head
        assert "Connection: close" in head
    assert "it refuses us, with HTTP 403; see prometheus_token" in str(answer.problem)
    assert SECRET not in f"{server!r} {answer!r} {caplog.text}"


def test_a_renewed_token_needs_no_new_start(tmp_path: Path) -> None:
    heads, file = list[str](), tmp_path / "token"
    with serving(answers(http(matrix(ONE)), SECONDS), heads) as url:
        client = Prometheus(Server(url, token_file=file))
        for token in ("first", "second"):
            file.write_text(token)
            assert client.ask([ASKING])[0].measured is not None
    assert [f"Bearer {token}" in head for token in ("first", "second") for head in heads] == [
        *[True] * 3,
        *[False] * 6,
        *[True] * 3,
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file or directory"),
        (b"", "holds no token"),
        (b"\xff", "holds no token"),
        (b"a b", "holds no token"),
        (b"a" * 10_000, "holds no token"),
        (b"a\r\nX-Other: b", "holds no token"),
    ],
)
def test_a_token_that_cannot_be_read_is_a_problem_and_nobody_is_asked(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    heads, file = list[str](), tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with serving(answers(http(matrix(ONE))), heads) as url:
        (answer,) = Prometheus(Server(url, token_file=file)).ask([ASKING])
    assert problem in str(answer.problem)
    assert heads == []


def test_equal_questions_are_asked_once() -> None:
    heads = list[str]()
    with serving(answers(http(matrix(ONE)), SECONDS), heads) as url:
        first, second = Prometheus(Server(url)).ask([ASKING, ASKING])
    assert first == second
    assert first.measured is not None
    assert len(heads) == 3, "the time, the values, and how fresh they are"


def test_the_machine_s_proxy_and_netrc_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heads, elsewhere = list[str](), list[str]()
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with (
        serving(broken.hangs_up, elsewhere) as proxy,
        serving(answers(http(matrix(ONE)), SECONDS), heads) as url,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        (answer,) = Prometheus(Server(url, token="own")).ask([ASKING])  # noqa: S106 (not one of anybody's)
    assert answer.measured is not None
    assert elsewhere == []
    assert all("Authorization: Bearer own" in head for head in heads)


def test_a_policy_that_polls_needs_an_address() -> None:
    assert list(unset_address(POLICY, None)) == []
    assert list(unset_address(running(METRIC).policy, Server("http://127.0.0.1:1"))) == []
    (problem,) = unset_address(running(METRIC).policy, None)
    assert "churn-v2: no address of Prometheus is set here, and it polls one for gpu" in str(problem)
