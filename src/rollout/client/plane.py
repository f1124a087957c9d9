"""The control plane as a node asks it: what to serve, under which key to hash, and how it stands."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from rollout.client.addresses import Addresses
from rollout.client.connection import Connection, Request
from rollout.client.nodes import LONGEST_WAIT_S, NodeState, UnitKeyAnswer

ANSWERS_WITHIN_S: Final = 5.0
"""Beyond what an answer may be kept waiting."""
WAIT_S: Final = 25.0
SHORT_WAIT_S: Final = 5.0
"""Where another one may lead: who waits at one that hangs does not hear of it."""


class Plane:
    """One node's conversation with its control plane."""

    def __init__(self, url: str | Addresses, token: str, *, node: str, wait_s: float | None = None) -> None:
        addresses = url if isinstance(url, Addresses) else Addresses.of(url)
        usual_s = WAIT_S if len(addresses.urls) == 1 else SHORT_WAIT_S
        self._addresses = addresses
        self._node, self.wait_s = node, min(usual_s if wait_s is None else wait_s, LONGEST_WAIT_S)
        self._asking = Connection(addresses, token=token, timeout_s=self.wait_s + ANSWERS_WITHIN_S)
        self._telling = Connection(addresses, token=token, timeout_s=ANSWERS_WITHIN_S)

    def close_asking(self) -> None:
        """Give back what `snapshot` holds; an answer may be waited for until then."""
        self._asking.close()

    def close(self) -> None:
        """Give back what everything but `snapshot` holds."""
        self._telling.close()

    def look_elsewhere(self) -> None:
        """Ask at another address from now on, where there is one."""
        self._addresses.move_on(self._addresses.current)

    def snapshot(self, after: str | None, *, waits: bool = True) -> str | None:
        """Return the text of a newer snapshot than this, once there is one, or nothing when none came."""
        query: dict[str, str | int] = {"node": self._node, "wait_s": str(self.wait_s if waits else 0)}
        if after is not None:
            query["after"] = after
        content = self._asking.send(Request("GET", "/v1/snapshot", query)).content
        return content.decode() if content else None

    def unit_key(self) -> bytes:
        """Return the key under which every node hashes unit ids."""
        return bytes.fromhex(self._telling.ask(Request("GET", "/v1/unit-key"), UnitKeyAnswer).key)

    def tell(self, state: NodeState) -> None:
        """Tell how the node stands."""
        content = state.model_dump_json(exclude_defaults=True).encode()
        path = f"/v1/nodes/{quote(self._node, safe='')}"
        self._telling.send(Request("PUT", path, content=content, content_type="application/json"))
