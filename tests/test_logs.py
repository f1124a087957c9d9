"""Logs: one line per event, named after its run, without secrets."""

import io
import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rollout.logs import configure, get, new_correlation_id, redacted
from rollout.settings.settings import HIDDEN, LogFormat, LogLevel

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def logged(level: LogLevel = LogLevel.INFO, log_format: LogFormat = LogFormat.AUTO) -> io.StringIO:
    """Start the logs and return what they are written to."""
    stream = io.StringIO()
    configure(level=level, log_format=log_format, correlation_id="run-7", stream=stream, now=lambda: MOMENT)
    return stream


def test_a_line_has_time_level_event_run_and_fields() -> None:
    stream = logged()
    get("reconcile").info("tick ended", experiment="churn", units=3)
    assert list(json.loads(stream.getvalue()).items()) == [
        ("time", "2026-01-02T03:04:05.678+00:00"),
        ("level", "info"),
        ("event", "tick ended"),
        ("part", "reconcile"),
        ("experiment", "churn"),
        ("units", 3),
        ("correlation_id", "run-7"),
    ]


def test_less_serious_than_the_level_is_left_out() -> None:
    stream = logged(LogLevel.WARNING)
    log = get("x")
    log.info("small")
    log.warning("large")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["large"]


def test_the_console_is_for_people() -> None:
    stream = logged(log_format=LogFormat.CONSOLE)
    get("x").info("tick ended", units=3)
    assert "tick ended" in stream.getvalue()
    assert "units=3" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, object(), "two\nlines", "日本語\udcff", {1: {2, 3}}, b"\xff", MOMENT],
)
def test_whatever_is_logged_is_one_line_of_json(value: object) -> None:
    stream = logged()
    get("x").info("odd", value=value)
    (line,) = stream.getvalue().splitlines()
    json.loads(line, parse_constant=pytest.fail)
    assert line.isascii()


def test_a_value_that_holds_itself_ends() -> None:
    stream = logged()
    value: list[object] = []
    value.append(value)
    get("x").info("odd", value=value)
    assert json.loads(stream.getvalue())["event"] == "odd"


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "API_KEY",
        "api-key",
        "Authorization",
        "x-secret-y",
        "refreshToken",
        "cookie",
        "dsn",
        "passwd",
    ],
)
def test_a_secret_is_known_by_its_key(key: str) -> None:
    assert redacted({"outer": [{key: "hush"}]}) == {"outer": [{key: HIDDEN}]}


@pytest.mark.parametrize("key", ["part", "units", "keyboard", "passed_checks"])
def test_what_is_no_secret_is_kept(key: str) -> None:
    assert redacted({key: "open"}) == {key: "open"}


def test_a_secret_is_known_by_its_type_and_in_an_address() -> None:
    assert redacted([SecretStr("hush")]) == [HIDDEN]
    said = f"a header of rollout_{'0a' * 32}, refused"
    assert redacted(said) == f"a header of {HIDDEN}, refused", "a token is known by its shape"
    assert redacted("postgresql://me:hush@host/base") == f"postgresql://me:{HIDDEN}@host/base"


@given(
    st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner))
)
def test_redacting_twice_is_redacting_once(value: object) -> None:
    assert redacted(redacted(value)) == redacted(value)


def test_a_correlation_id_is_drawn_from_the_chance_it_is_given() -> None:
    assert new_correlation_id(lambda size: bytes(range(size))) == "0001020304050607"
    assert new_correlation_id() != new_correlation_id()
