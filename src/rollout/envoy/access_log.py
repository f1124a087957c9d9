"""The lines that Envoy writes for each request and each attempt: their fields, and what fills each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rollout.envoy.destinations import SHADOW_HEADER, UNIT_HEADER
from rollout.envoy.document import ROLLOUT, TYPE, JsonObject

ACCESS_LOG_FILE: Final = "access.log"
ATTEMPT_LOG_FILE: Final = "attempts.log"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a line."""

    name: str
    operator: str
    meaning: str


FIELDS: Final = (
    Field(
        "ts", "%START_TIME(%s.%6f)%", "when the request began: seconds since 1970, as text with six decimals"
    ),
    Field("unit", f"%REQ({UNIT_HEADER})%", "the unit, whatever header the policy reads; null outside"),
    Field("rev", f"%METADATA(ROUTE:{ROLLOUT}:revision)%", "the experiment's revision, as text"),
    Field(
        "route",
        "%ROUTE_NAME%",
        "the *assigned* route, `experiment/arm/block` or `experiment/leaf`; null when the path is nobody's",
    ),
    Field(
        "served",
        "%UPSTREAM_CLUSTER%",
        "who answered, `experiment/revision/arm`: another arm than the route's after a fallback",
    ),
    Field(
        "att",
        "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "attempts; above 1, the assigned version's first one failed",
    ),
    Field("code", "%RESPONSE_CODE%", "the status the client saw; 0 when it left before the headers"),
    Field("flags", "%RESPONSE_FLAGS%", "Envoy's response flags, such as `UT` or `DC`; `-` when all is well"),
    Field("det", "%RESPONSE_CODE_DETAILS%", "why the status is what it is, in Envoy's words"),
    Field(
        "dur_us",
        "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
        "microseconds from the request's first byte to the answer's last; null without a whole answer",
    ),
)


REQUEST_ID: Final = Field(
    "id", "%REQ(x-request-id)%", "the request's id: the client's own, or drawn; joins its attempts to it"
)
ATTEMPT_FIELDS: Final = (
    Field("ts", "%START_TIME(%s.%6f)%", "when the request began, not the attempt"),
    REQUEST_ID,
    Field(
        "rev", f"%METADATA(ROUTE:{ROLLOUT}:revision)%", "the experiment's revision, as text; null for a copy"
    ),
    Field("route", "%ROUTE_NAME%", "the request's assigned route; null for a copy"),
    Field("served", "%UPSTREAM_CLUSTER%", "who was asked, `experiment/revision/arm`"),
    Field("shadow", f"%REQ({SHADOW_HEADER})%", "`1` for a copy, whose answer nobody sees; else null"),
    Field("code", "%RESPONSE_CODE%", "the attempt's status; 0 when there was none"),
    Field("flags", "%RESPONSE_FLAGS%", "why the attempt failed, such as `UF` or `UT`; `-` when it did not"),
    Field(
        "up_us",
        "%COMMON_DURATION(US_TX_BEG:US_RX_END:us)%",
        "microseconds from the attempt's first byte to its answer's last; null without a whole answer",
    ),
    Field(
        "ttfb_us",
        "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
        "microseconds to the answer's first byte; null without one",
    ),
    Field("dur_ms", "%DURATION%", "milliseconds since the request began; what there is of a failed attempt"),
    Field(
        "fail", "%UPSTREAM_TRANSPORT_FAILURE_REASON%", "what the connection says, such as a wrong certificate"
    ),
)


def access_log(*, with_id: bool = False) -> JsonObject:
    """Return the log of one listener; a load balancer's health checks are left out."""
    fields = (*FIELDS, REQUEST_ID) if with_id else FIELDS
    return {**_file(ACCESS_LOG_FILE, fields), "filter": {"not_health_check_filter": {}}}


def attempt_lines() -> JsonObject:
    """Return the log of every try at a version, copies included."""
    return _file(ATTEMPT_LOG_FILE, ATTEMPT_FIELDS)


def _file(path: str, fields: Iterable[Field]) -> JsonObject:
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {"json_format": {field.name: field.operator for field in fields}},
        },
    }
