"""Who may do what over HTTP: one table, which the gate enforces and the documentation shows.

A route without a line here lets nobody in.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rollout.domain.access import Role

ANYBODY: Final = frozenset(Role)
READERS: Final = frozenset({Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.ADMIN})
OPERATORS: Final = frozenset({Role.OPERATOR, Role.ADMIN})
APPROVERS: Final = frozenset({Role.APPROVER, Role.ADMIN})
ADMINS: Final = frozenset({Role.ADMIN})
NODES: Final = frozenset({Role.NODE, Role.ADMIN})
APPS: Final = frozenset({Role.APP, Role.ADMIN})

_RUN: Final = "/v1/experiments/{name}"
OPEN: Final = frozenset({("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.json")})
"""What is answered without a token."""
RULES: Final[Mapping[tuple[str, str], frozenset[Role]]] = MappingProxyType(
    {
        **dict.fromkeys(OPEN, ANYBODY),
        ("GET", "/metrics"): READERS,
        ("POST", "/v1/experiments"): OPERATORS,
        ("GET", "/v1/experiments"): READERS,
        ("GET", _RUN): READERS,
        ("GET", f"{_RUN}/history"): READERS,
        ("GET", f"{_RUN}/evidence"): READERS,
        ("GET", f"{_RUN}/report"): READERS,
        ("POST", f"{_RUN}/pause"): OPERATORS,
        ("POST", f"{_RUN}/resume"): OPERATORS,
        ("POST", f"{_RUN}/advance"): OPERATORS,
        ("POST", f"{_RUN}/approve"): APPROVERS,
        ("POST", f"{_RUN}/promote"): OPERATORS,
        ("POST", f"{_RUN}/rollback"): OPERATORS,
        ("POST", f"{_RUN}/stop"): OPERATORS,
        ("POST", f"{_RUN}/retire"): OPERATORS,
        ("POST", f"{_RUN}/retry"): OPERATORS,
        ("POST", "/v1/evidence/rebuild"): OPERATORS,
        ("GET", "/v1/evidence/rebuild"): READERS,
        ("POST", "/v1/policies/lint"): READERS,
        ("POST", "/v1/policies/plan"): READERS,
        ("GET", f"{_RUN}/decisions/{{number}}"): READERS,
        ("POST", f"{_RUN}/decisions/{{number}}/replay"): READERS,
        ("GET", "/v1/audit"): READERS,
        ("POST", "/v1/audit/verify"): READERS,
        ("GET", "/v1/notifications"): READERS,
        ("GET", "/v1/tokens"): ADMINS,
        ("POST", "/v1/tokens"): ADMINS,
        ("DELETE", "/v1/tokens/{name}"): ADMINS,
        ("GET", "/v1/nodes"): READERS,
        ("GET", "/v1/snapshot"): NODES,
        ("GET", "/v1/unit-key"): NODES,
        ("PUT", "/v1/nodes/{node}"): NODES,
        ("PUT", "/v1/nodes/{node}/losses"): NODES,
        ("DELETE", "/v1/nodes/{node}"): NODES | OPERATORS,
        ("POST", "/v1/segments/{kind}/{node}/{log}"): NODES,
        ("POST", "/v1/outcomes"): APPS,
        ("GET", "/v1/outcomes/metrics"): APPS,
    }
)
"""The roles that each route lets in, by its method and its path as it is written."""
