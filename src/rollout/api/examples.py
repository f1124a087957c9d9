"""What `/openapi.json` shows of bodies and answers: each example is a value of its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from rollout.api.access import LOCAL
from rollout.api.intake import AllLosses, LostRecords
from rollout.api.readiness import ReadyAnswer
from rollout.client import answers as said
from rollout.client.audit import ActAnswer, AuditAnswer, KnownHead, VerifiedAnswer
from rollout.client.evidence import RebuiltAnswer
from rollout.client.nodes import NodeAnswer, NodesAnswer, NodeState, SnapshotAnswer, UnitKeyAnswer
from rollout.client.notifications import DeliveryAnswer, NotificationsAnswer
from rollout.client.outcomes import RefusedOutcome, ToldAnswer, WantedAnswer
from rollout.client.policies import FindingAnswer, LintAnswer, PlanAnswer
from rollout.client.records import RecordAnswer, ReplayAnswer
from rollout.client.tokens import CreatedTokenAnswer, TokenAnswer, TokenRequest, TokensAnswer
from rollout.client.wishes import AskedAnswer, WishRequest
from rollout.domain.access import Role
from rollout.domain.wish import Asked
from rollout.lake.segments import Kind

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
_AT: Final = datetime(2026, 10, 9, 8, 0, tzinfo=UTC)
_HASH: Final = "ab" * 32
POLICY: Final = """\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {name: churn-v2, owner: growth-ml}
spec:
  route: {path: /churn}
  baseline: {version: "1.4.2", url: http://churn-v1:8000}
  candidate: {version: "2.0.0", url: http://churn-v2:8000}
  assignment: {unit: header:x-user-id}
  metrics:
    - {name: converted, role: primary, source: outcomes, type: binary,
       direction: increase, minEffect: 5%, window: 24h}
  steps:
    - {setWeight: 50%, hold: {until: verdict, atMost: 14d}}
"""


@dataclass(frozen=True, slots=True)
class Body:
    """What a route takes; without a shape its schema says it."""

    example: object
    shape: type[BaseModel] | None = None
    kinds: tuple[str, ...] = (JSON,)
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    is_required: bool = True


_WISH: Final = said.WishAnswer(who="anna", why="lunch", at=_AT, kind="pause")
_LOOK: Final = said.LookAnswer(
    at=_AT, watermark=_AT, evidence_is_fresh=True, split_holds=True, units_in_step=(2_000, 2_010), verdicts=()
)
_RUN: Final = said.ExperimentAnswer(
    name="churn-v2",
    uid="1f2e3d4c",
    version=17,
    revision=1,
    owner="growth-ml",
    path="/churn",
    baseline="1.4.2",
    candidates=("2.0.0",),
    phase="running",
    has_ended=False,
    step=1,
    steps=3,
    weight_bp=100,
    step_weights_bp=(100, 1_000, 5_000),
    traffic_is_live=True,
    started_at=_AT - timedelta(hours=1),
    step_entered_at=_AT - timedelta(hours=1),
    look=_LOOK,
    wish=_WISH,
)
_ENTRY: Final = said.EntryAnswer(
    number=1,
    revision=1,
    at=_AT,
    action="hold",
    reason="STEP_UNFINISHED",
    sentence="the step has not lasted as long as the policy asks",
    phase="running",
    step=1,
    steps=3,
    look=_LOOK,
)
_TOKEN: Final = TokenAnswer(name="ci", role="operator", created_at=_AT, created_by="local", is_live=True)
_FINDING: Final = FindingAnswer(
    file="churn.yaml", line=9, path="spec.stpes", what="unknown key", message="churn.yaml:9: spec.stpes: …"
)
_REBUILT: Final = RebuiltAnswer(
    is_check=True, is_running=True, rows_read=1_000, seconds=0.2, problem=None, runs=()
)
_ACT: Final = ActAnswer(
    number=1, at=_AT, who="anna", token=LOCAL, verb="pause", subject="churn-v2", previous="", hash=_HASH
)
_TOLD: Final = {"unit": "user-17", "metric": "converted", "ts_us": 1_790_000_000_000_000, "value": 1}
_ASKED: Final = AskedAnswer(is_new=True, experiment=_RUN)
_OUTCOME_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["unit", "metric", "ts_us", "value"],
    "properties": {
        "unit": {"type": "string", "minLength": 1, "maxLength": 512},
        "metric": {"type": "string", "minLength": 1},
        "ts_us": {"type": "integer", "description": "Microseconds since 1970."},
        "value": {"type": "number"},
        "key": {"type": ["string", "null"], "minLength": 1, "maxLength": 512},
    },
}
_LOST: Final = LostRecords.model_validate(
    {
        "kind": next(iter(Kind)),
        "experiment": "churn-v2",
        "revision": 1,
        "rows": 2,
        "bytes": 80,
        "from_us": 1,
        "to_us": 2,
    }
)
_PLACE: Final = "/v1/experiments/{name}"

BODIES: Final[Mapping[tuple[str, str], Body]] = {
    ("POST", "/v1/experiments"): Body(POLICY, kinds=(said.YAML,)),
    ("POST", "/v1/policies/lint"): Body(POLICY, kinds=(said.YAML,)),
    ("POST", "/v1/policies/plan"): Body(POLICY, kinds=(said.YAML,)),
    **{
        ("POST", f"{_PLACE}/{kind.value}"): Body(WishRequest(why="lunch", who="anna"), WishRequest)
        for kind in Asked
    },
    ("POST", "/v1/tokens"): Body(TokenRequest(name="ci", role=Role.OPERATOR, expires_days=90), TokenRequest),
    ("POST", "/v1/audit/verify"): Body(KnownHead(number=1, hash=_HASH), KnownHead, is_required=False),
    ("PUT", "/v1/nodes/{node}"): Body(NodeState(), NodeState),
    ("PUT", "/v1/nodes/{node}/losses"): Body(AllLosses((_LOST,)), AllLosses),
    ("POST", "/v1/outcomes"): Body(_TOLD, kinds=(JSON,), schema=_OUTCOME_SCHEMA),
    ("POST", "/v1/segments/{kind}/{node}/{log}"): Body(
        "", kinds=("application/octet-stream",), schema={"type": "string", "format": "binary"}
    ),
}
"""What each write takes."""

ANSWERS: Final[Mapping[tuple[str, str], tuple[int, object]]] = {
    ("GET", "/healthz"): (200, {"status": "fine"}),
    ("GET", "/readyz"): (200, ReadyAnswer(problems=0).model_dump(exclude_none=True)),
    ("POST", "/v1/experiments"): (200, said.StartedAnswer(is_new=False, experiment=_RUN)),
    ("GET", "/v1/experiments"): (200, said.ExperimentsAnswer(experiments=(_RUN,))),
    ("GET", _PLACE): (200, _RUN),
    ("GET", f"{_PLACE}/history"): (
        200,
        said.HistoryAnswer(name="churn-v2", uid="1f2e3d4c", total=1, entries=(_ENTRY,)),
    ),
    ("GET", f"{_PLACE}/decisions/{{number}}"): (
        200,
        RecordAnswer(name="churn-v2", uid="1f2e3d4c", entry=_ENTRY, policy_digest=_HASH),
    ),
    ("POST", f"{_PLACE}/decisions/{{number}}/replay"): (
        200,
        ReplayAnswer(name="churn-v2", number=1, agrees=True, recorded_by="0.1", recomputed_by="0.1"),
    ),
    **{("POST", f"{_PLACE}/{kind.value}"): (202, _ASKED) for kind in Asked},
    ("POST", "/v1/evidence/rebuild"): (202, _REBUILT),
    ("GET", "/v1/evidence/rebuild"): (200, _REBUILT),
    ("POST", "/v1/policies/lint"): (200, LintAnswer(errors=(_FINDING,))),
    ("POST", "/v1/policies/plan"): (
        200,
        PlanAnswer(
            name="churn-v2",
            answer="it concludes in 12 days",
            is_refused=False,
            is_known=True,
            document={"name": "churn-v2"},
        ),
    ),
    ("GET", "/v1/audit"): (200, AuditAnswer(acts=(_ACT,), next_after=1)),
    ("POST", "/v1/audit/verify"): (
        200,
        VerifiedAnswer(lines=1, newest_number=1, newest_hash=_HASH, found=0),
    ),
    ("GET", "/v1/notifications"): (
        200,
        NotificationsAnswer(
            notifications=(
                DeliveryAnswer(
                    number=7,
                    id="a1b2c3d4.41.ml-growth",
                    receiver="ml-growth",
                    experiment="churn-v2",
                    at=_AT,
                    title="churn-v2: rolled back (errors)",
                    decision=17,
                    state="pending",
                    tries=1,
                    problem="it answered 500",
                    next_at=_AT + timedelta(seconds=2),
                ),
            )
        ),
    ),
    ("GET", "/v1/tokens"): (200, TokensAnswer(tokens=(_TOKEN,))),
    ("POST", "/v1/tokens"): (201, CreatedTokenAnswer(token=_TOKEN, secret=None)),
    ("DELETE", "/v1/tokens/{name}"): (200, _TOKEN),
    ("GET", "/v1/nodes"): (
        200,
        NodesAnswer(nodes=(NodeAnswer(name="node-1", is_silent=False, is_live=True, state=NodeState()),)),
    ),
    ("GET", "/v1/snapshot"): (200, SnapshotAnswer(version="0-" + "ab" * 16, placements=())),
    ("GET", "/v1/unit-key"): (200, UnitKeyAnswer(key="00" * 32)),
    ("POST", "/v1/outcomes"): (
        202,
        ToldAnswer(accepted=1, refused=1, problems=(RefusedOutcome(item=1, detail="ts_us: must be …"),)),
    ),
    ("GET", "/v1/outcomes/metrics"): (200, WantedAnswer(metrics={"converted": ("DID_IT",)}, now_us=1)),
    ("POST", "/v1/segments/{kind}/{node}/{log}"): (200, {"cursor": 4_096}),
}
"""What each route answers, and with which status."""
