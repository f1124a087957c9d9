"""Structured logs on standard error: a line per event, with the run's correlation id, without secrets."""

import json
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TextIO, cast

import structlog
from pydantic import SecretBytes, SecretStr
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from rollout.domain.access import SECRET_PREFIX
from rollout.settings.settings import HIDDEN, LogFormat, LogLevel

SECRET_KEY = re.compile(
    r"passw|secret|token|api.?key|access.?key|private.?key|authori[sz]ation|credential|cookie|\bdsn\b",
    re.IGNORECASE,
)
# user:password@ in an address
ADDRESS_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)")
# a token of ours, whatever stands around it
TOKEN = re.compile(re.escape(SECRET_PREFIX) + r"[0-9a-f]{16,}")
MAXIMUM_DEPTH = 8


def wall_clock() -> datetime:
    """Return the present moment; the default of every clock argument here."""
    return datetime.now(tz=UTC)


def new_correlation_id(chance: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Draw the name of a run: 16 hexadecimal digits."""
    return chance(8).hex()


def redacted(value: object, depth: int = 0) -> object:
    """Return the value without what is secret by its type, by its key, or as a password in an address."""
    match value:
        case Mapping() | list() | tuple() | set() | frozenset() if depth >= MAXIMUM_DEPTH:
            return "…"
        case Mapping():
            return {
                str(key): HIDDEN if SECRET_KEY.search(str(key)) else redacted(inner, depth + 1)
                for key, inner in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [redacted(inner, depth + 1) for inner in value]
        case SecretStr() | SecretBytes():
            return HIDDEN
        case str():
            return TOKEN.sub(HIDDEN, ADDRESS_PASSWORD.sub(rf"\g<1>{HIDDEN}", value))
        case _:
            return value


def configure(
    *,
    level: LogLevel,
    log_format: LogFormat,
    correlation_id: str,
    stream: TextIO = sys.stderr,
    now: Callable[[], datetime] = wall_clock,
) -> None:
    """Send every log of this process to one stream, each line naming this run."""
    on_terminal = stream.isatty()
    console = log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and on_terminal)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamp(now),
            structlog.processors.format_exc_info,
            _redact,
            _console(colors=on_terminal) if console else _render_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)


def get(name: str) -> FilteringBoundLogger:
    """Return the log of one part of the house."""
    return cast("FilteringBoundLogger", structlog.get_logger(part=name))


def _stamp(now: Callable[[], datetime]) -> Processor:
    def add_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["time"] = now().isoformat(timespec="milliseconds")
        return event

    return add_time


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
    )


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return cast("EventDict", redacted(event))


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    # Pure ASCII: a log line stays one line and stays JSON on any stream.
    first = {key: event.pop(key) for key in ("time", "level", "event") if key in event}
    try:
        return json.dumps({**first, **event}, default=str, allow_nan=False)
    except ValueError:  # JSON has no word for NaN and infinity, nor for a value that holds itself
        return json.dumps({**first, "fields": str(dict(event))})
