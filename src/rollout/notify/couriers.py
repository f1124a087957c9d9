"""The notifier port: each letter goes by a process of its own, which is ended when it takes too long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from rollout.domain.news import Letter
from rollout.errors import printable
from rollout.notify.errand import Answer, Errand
from rollout.notify.letters import Form, document, message
from rollout.notify.receivers import Receiver, Receivers
from rollout.ports import Delivered

WITHIN_S: Final = 30.0
LONGEST_WHY: Final = 300
PASSED_ON: Final = (
    *("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""What a courier gets of our environment: its way out, and nothing that is nobody's business."""


class Couriers:
    """Sends to the receivers of a file; several letters may be on their way, each to another receiver."""

    def __init__(
        self,
        receivers: Receivers,
        *,
        public_url: str | None = None,
        within_s: float = WITHIN_S,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._receivers, self._public_url, self._within_s = receivers, public_url, within_s
        self._turn = threading.Lock()
        self._underway: set[subprocess.Popen[bytes]] = set()
        self._is_stopped = False
        self._environment = {name: environment[name] for name in PASSED_ON if name in environment}

    def names(self) -> frozenset[str]:
        """Return every receiver that can be told now."""
        return frozenset(self._receivers.known())

    def per_minute(self, receiver: str) -> float | None:
        """Return how many letters a minute a receiver wants at most, or None when nobody is called so."""
        known = self._receivers.known().get(receiver)
        return None if known is None else known.per_minute

    def send(self, receiver: str, letter: Letter) -> Delivered:
        """Send a letter once, in bounded time; whatever goes wrong is said, never raised."""
        known = self._receivers.known().get(receiver)
        if known is None:
            return Delivered(is_taken=False, why=f"nobody is called '{receiver}' in receivers_file")
        found = self._by_courier(known, letter)
        if found.is_taken:
            return Delivered(is_taken=True)
        why = printable(known.censored(found.why or "no reason was given"))[:LONGEST_WHY]
        return Delivered(is_taken=False, why=why, retry_after_s=found.retry_after_s)

    def _by_courier(self, known: Receiver, letter: Letter) -> Answer:
        errand = Errand(
            url=known.url,
            is_webhook=known.is_webhook,
            keys=known.keys,
            ca_file=None if known.ca_file is None else str(known.ca_file),
            letter_id=letter.id,
            chat=message(letter, Form.CHAT, self._public_url),
            plain=message(letter, Form.PLAIN, self._public_url),
            document=document(letter),
        )
        try:
            written, code = self._carried_out(msgspec.json.encode(errand))
        except subprocess.TimeoutExpired:
            return Answer(is_taken=False, why=f"no word of it within {self._within_s:g} s")
        except OSError as error:
            return Answer(is_taken=False, why=f"no courier could be started: {error.strerror}")
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(written, type=Answer)
        why = (
            "the control plane ended meanwhile"
            if self._is_stopped
            else f"its courier failed with code {code}"
        )
        return Answer(is_taken=False, why=why)

    def _carried_out(self, errand: bytes) -> tuple[bytes, int]:
        """Return what a courier wrote and its exit code; it is dead when this returns or raises."""
        with self._turn:
            if self._is_stopped:
                return b"", 0
            courier = subprocess.Popen(
                [sys.executable, "-m", "rollout.notify.courier"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
            )
            self._underway.add(courier)
        try:
            with courier:
                try:
                    written, _ = courier.communicate(errand, timeout=self._within_s)
                finally:
                    courier.kill()
        finally:
            with self._turn:
                self._underway.discard(courier)
        return written, courier.returncode

    def stop(self) -> None:
        """End what is on its way now, which counts as not taken, and send nothing more."""
        with self._turn:
            self._is_stopped = True
            for courier in self._underway:
                courier.kill()
