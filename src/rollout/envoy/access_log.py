"""The line that Envoy writes for each request: its fields, and the operator that fills each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rollout.envoy.document import ROLLOUT, TYPE, JsonObject
from rollout.envoy.routes import UNIT_HEADER

ACCESS_LOG_FILE: Final = "access.log"


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


def access_log() -> JsonObject:
    """Return the log of one listener; a load balancer's health checks are left out."""
    return {
        "name": "envoy.access_loggers.file",
        "filter": {"not_health_check_filter": {}},
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": ACCESS_LOG_FILE,
            "log_format": {"json_format": {field.name: field.operator for field in FIELDS}},
        },
    }
