"""The way from a node to the intake: one segment at a time, tried again, with a limit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from rollout.agent.losses import Loss
from rollout.client.addresses import Addresses, client_to
from rollout.intake.intake import Answer, Filed, OutOfTurn, Refused
from rollout.lake import segments
from rollout.store.counts import Told

ATTEMPTS: Final = 2
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0


class Unreachable(Exception):
    """The intake did not answer, however often it was asked; nothing is lost, the log is still there."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try, and how long to wait in between: doubled each time, cut by chance."""

    attempts: int = ATTEMPTS
    first_pause_s: float = FIRST_PAUSE_S
    longest_pause_s: float = LONGEST_PAUSE_S
    chance: Callable[[], float] = random.random
    sleep: Callable[[float], object] = time.sleep

    def wait(self, attempt: int) -> None:
        """Wait after a failed attempt, the first being 0."""
        longest = min(self.first_pause_s * 2.0**attempt, self.longest_pause_s)
        # All nodes lose the intake at the same moment: without chance they would return together.
        self.sleep(longest * (0.5 + 0.5 * self.chance()))


class Uplink:
    """Sends segments over HTTP; `client` holds the intake's address, token and time-outs."""

    def __init__(self, client: httpx.Client, patience: Patience | None = None) -> None:
        self._client = client
        self._patience = patience or Patience()

    def send(self, told: Told, body: bytes) -> Answer:
        """Return the intake's answer; raises `Unreachable` when there was none."""
        reason = ""
        for attempt in range(self._patience.attempts):
            try:
                response = self._post(told, body)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            else:
                answer = _answer(response)
                if answer is not None:
                    return answer
                reason = f"{response.status_code} {response.text[:200]}"
            if attempt + 1 < self._patience.attempts:
                self._patience.wait(attempt)
        raise Unreachable(reason)

    def _post(self, told: Told, body: bytes) -> httpx.Response:
        return self._client.post(
            f"/v1/segments/{told.kind}/{told.node}/{told.log}",
            params={
                "start": told.start,
                "end": told.end,
                "watermark_us": told.watermark_us,
                "bad_lines": told.bad_lines,
            },
            headers={"Content-Digest": segments.content_digest(body)},
            # Parquet is compressed already.
            content=body,
        )

    def tell_losses(self, node: str, losses: Sequence[Loss]) -> None:
        """Say what this node will never hand in, in all."""
        try:
            response = self._client.put(
                f"/v1/nodes/{node}/losses",
                content=msgspec.json.encode(losses),
                headers={"Content-Type": "application/json"},
            )
        except httpx.TransportError as error:
            raise Unreachable(str(error)) from None
        if not response.is_success:
            raise Unreachable(f"{response.status_code} {response.text[:200]}")

    def sign_off(self, node: str) -> None:
        """Say that this node has handed in everything and holds no watermark any longer."""
        try:
            self._client.delete(f"/v1/nodes/{node}")
        except httpx.TransportError as error:
            raise Unreachable(str(error)) from None


def connect(address: str | Addresses, token: str, *, timeout_s: float = 10.0) -> httpx.Client:
    """Return a client for an intake, at one address or several."""
    return client_to(
        address if isinstance(address, Addresses) else Addresses.of(address),
        headers={"Authorization": f"Bearer {token}"},
        timeout_s=timeout_s,
        trust_env=False,
    )


def _answer(response: httpx.Response) -> Answer | None:
    """Return what the intake said, or nothing when asking again may help."""
    match response.status_code:
        case httpx.codes.OK:
            return Filed(int(response.json()["cursor"]))
        case httpx.codes.CONFLICT:
            return OutOfTurn(int(response.json()["cursor"]))
        case httpx.codes.UNPROCESSABLE_ENTITY | httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return Refused(response.text[:200])
        case _:
            return None
