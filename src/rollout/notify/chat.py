"""Chats, mail and pagers through apprise, which is slow to import: only the process that sends does so."""

from __future__ import annotations

import logging
import os
import re
from typing import Final

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from apprise.plugins.base import NotifyBase

from rollout.notify.errand import Answer, Errand

LONGEST_WHY: Final = 300
MOST_LINES: Final = 10
PAUSE_AFTER_429_S: Final = 60.0
"""Apprise does not say how long it was asked to wait."""
_TOO_MANY: Final = re.compile(r"\berror=429\b")


class _Heard(logging.Handler):
    """Keeps the little that apprise says of what went wrong; details would name addresses."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._lines) < MOST_LINES:
            self._lines.append(" ".join(record.getMessage().split()))

    @property
    def words(self) -> str:
        """What was said."""
        return " ".join(self._lines)[:LONGEST_WHY]


def send(errand: Errand) -> Answer:
    """Send a letter as a message for people."""
    if errand.ca_file is not None:
        # One for mail, one for everything over HTTP: this process sends one letter and ends.
        os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = errand.ca_file
    heard, logger = _Heard(), logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        return _sent(errand, heard)
    finally:
        logger.removeHandler(heard)


def _sent(errand: Errand, heard: _Heard) -> Answer:
    plugin = open_plugin(errand.url, errand.letter_id)
    if plugin is None:
        return Answer(is_taken=False, why=f"apprise cannot use its address: {heard.words}")
    written = NotifyFormat.MARKDOWN if is_chat(plugin) else NotifyFormat.TEXT
    text = errand.chat if is_chat(plugin) else errand.plain
    kind = NotifyType(text.kind.value)
    if plugin.notify(body=text.body, title=text.title, notify_type=kind, body_format=written):
        return Answer(is_taken=True)
    why = heard.words or "it was not taken, and apprise does not say why"
    pause_s = PAUSE_AFTER_429_S if _TOO_MANY.search(why) else None
    return Answer(is_taken=False, why=why, retry_after_s=pause_s)


def open_plugin(url: str, letter_id: str) -> NotifyBase | None:
    """Return what speaks to an address, or None when apprise cannot make anything of it.

    A pager is told the letter's id, so that it knows a letter that it got before.
    """
    # No picture: it would be fetched from somebody else's address.
    asset = AppriseAsset(
        app_id="rollout",
        app_desc="rollout",
        app_url="",
        async_mode=False,
        image_url_mask="",
        image_url_logo="",
    )
    found = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(found, NotifyBase):
        return None
    _identify(found, letter_id)
    return found


def is_chat(plugin: NotifyBase) -> bool:
    """Return whether a receiver reads Markdown; mail is plain, though it could be more."""
    offered: object = plugin.notify_format
    formats = offered if isinstance(offered, tuple) else (offered,)
    return NotifyFormat.MARKDOWN in formats and NotifyFormat.HTML not in formats


def _identify(plugin: NotifyBase, letter_id: str) -> None:
    """Have a pager know a letter that it got before, where it can."""
    for name in ("alias", "dedup"):
        if getattr(plugin, name, "") is None:
            setattr(plugin, name, letter_id)
    if type(plugin).__name__ == "NotifyOpsgenie" and getattr(plugin, "action", None) == "map":
        # By itself it drops news for which there was no alert before.
        setattr(plugin, "action", "new")  # noqa: B010 (a field of this plugin alone)
