"""A webhook for programs: signed JSON, as Standard Webhooks has it, sent without following anybody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from collections.abc import Sequence
from typing import Final

import httpx

from rollout.notify.errand import Answer, Errand

PREFIX: Final = "whsec_"
SHORTEST_KEY: Final = 24
LONGEST_KEY: Final = 64
LONGEST_WAIT_S: Final = 3_600.0
TIMEOUT_S: Final = 10.0


def key_bytes(key: str) -> bytes | None:
    """Return the bytes of a key such as `whsec_…`, or None when it is not one."""
    if not key.startswith(PREFIX):
        return None
    try:
        found = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except ValueError:  # no base64, or not even ASCII
        return None
    return found if SHORTEST_KEY <= len(found) <= LONGEST_KEY else None


def headers(letter_id: str, body: bytes, keys: Sequence[str], now_s: int) -> dict[str, str]:
    """Return the headers that prove who sent a body: one signature for each key, the newest first."""
    signed = f"{letter_id}.{now_s}.".encode() + body
    found = [hmac.new(key_bytes(key) or b"", signed, hashlib.sha256).digest() for key in keys]
    return {
        "content-type": "application/json",
        "user-agent": "rollout",
        "webhook-id": letter_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in found),
    }


def send(errand: Errand, now_s: int) -> Answer:
    """Post a letter; what is answered beside the status is not read."""
    body = errand.document.encode()
    signed = headers(errand.letter_id, body, errand.keys, now_s)
    trusted: ssl.SSLContext | bool = True
    if errand.ca_file is not None:
        trusted = ssl.create_default_context(cafile=errand.ca_file)
    try:
        with (
            httpx.Client(verify=trusted, timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream("POST", errand.url, content=body, headers=signed) as answer,
        ):
            return _answer(answer)
    except httpx.TimeoutException:
        return Answer(is_taken=False, why=f"no answer within {TIMEOUT_S:g} s")
    except httpx.HTTPError as error:
        return Answer(is_taken=False, why=f"cannot be reached: {error}")


def _answer(answer: httpx.Response) -> Answer:
    if answer.is_success:
        return Answer(is_taken=True)
    told = " (a redirect, which is not followed)" if answer.is_redirect else ""
    return Answer(
        is_taken=False,
        why=f"it answered {answer.status_code}{told}",
        retry_after_s=_retry_after_s(answer.headers.get("retry-after")),
    )


def _retry_after_s(text: str | None) -> float | None:
    """Return the seconds that were asked for; a date is not understood, and our own pause comes instead."""
    if text is None or not text.isascii() or not text.isdecimal():
        return None
    return min(float(text[:9]), LONGEST_WAIT_S)
