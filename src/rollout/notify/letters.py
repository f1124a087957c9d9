"""A letter as text for people, marked up for chats or plain, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Final

from rollout.domain.decision import Decision
from rollout.domain.news import Letter, News
from rollout.domain.telling import Occasion, events_of, telling_of
from rollout.notify import wording
from rollout.notify.errand import Kind, Message
from rollout.notify.wording import Quote, harmless

WHOLE: Final = 3
"""So many of a burst are told in full, the most urgent first; the rest by their titles."""
LISTED: Final = 20
_URGENCY: Final = (Kind.FAILURE, Kind.WARNING, Kind.SUCCESS, Kind.INFO)


class Form(StrEnum):
    """What the receiver makes of a text."""

    CHAT = "chat"
    """Markdown."""
    PLAIN = "plain"
    """Every sign as it is."""


def message(letter: Letter, form: Form, public_url: str | None) -> Message:
    """Return a letter for people; several news are one message."""
    ordered = sorted(letter.news, key=lambda news: _URGENCY.index(wording.kind(news)))
    first, *others = ordered
    whole = ordered[:WHOLE]
    title = wording.title(first) + (f", and {len(others)} more" if others else "")
    parts = [_whole(news, form, public_url, is_headed=bool(others)) for news in whole]
    if len(ordered) > WHOLE:
        parts.append(_rest(ordered[WHOLE:], form))
    parts.append(f"{'Messages' if others else 'Message'} {letter.id}")
    return Message(title, "\n\n".join(parts), wording.kind(first))


def _whole(news: News, form: Form, public_url: str | None, *, is_headed: bool) -> str:
    quote = _quote(form)
    lines = [f"{_strong(wording.title(news), form)}"] if is_headed else []
    lines += [" ".join(wording.sentences(news, quote))]
    bullets = [f"- {line}" for line in wording.figures(news, quote)]
    ends = [f"{_moment(news.at_us)}, for {quote(news.owner)}"]
    commands = list(wording.advice(news))
    ends += [f"What you can do: {', '.join(_command(one, form) for one in commands)}"] if commands else []
    if public_url is not None and news.occasion is not Occasion.TESTED:
        ends.append(f"Report: {public_url}/v1/experiments/{harmless(news.policy)}/report")
    return "\n\n".join("\n".join(block) for block in (lines, bullets, ends) if block)


def _rest(left: Sequence[News], form: Form) -> str:
    lines = [f"And {len(left)} more:"]
    lines += [f"- {_moment(news.at_us)} {_plain(wording.title(news), form)}" for news in left[:LISTED]]
    lines += [f"- and {len(left) - LISTED} more"] if len(left) > LISTED else []
    return "\n".join(lines)


def _quote(form: Form) -> Quote:
    """Return how others' words are marked: a chat marks up nothing inside a code span."""
    if form is Form.PLAIN:
        return harmless
    return lambda text: "`" + (harmless(text).replace("`", "'") or " ") + "`"


def _strong(text: str, form: Form) -> str:
    return f"**{_plain(text, form)}**" if form is Form.CHAT else text


def _plain(text: str, form: Form) -> str:
    """Return a text of ours in which a name may stand: nothing in it is markup."""
    if form is Form.PLAIN:
        return text
    return "".join("\u200b" + sign if sign in "*_~`[|#\\" else sign for sign in text)


def _command(text: str, form: Form) -> str:
    return f"`{text}`" if form is Form.CHAT else text


def _moment(at_us: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def document(letter: Letter) -> str:
    """Return a letter for programs: all its news in full, in the order in which they came."""
    content = {"id": letter.id, "events": [_event(news) for news in letter.news]}
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


def _event(news: News) -> dict[str, object]:
    found: dict[str, object] = {
        name: _value(value) for name, value in asdict(news).items() if name not in _TOLD_OTHERWISE
    }
    decision = None if news.reason is None else Decision(news.reason)
    is_test = news.occasion is Occasion.TESTED
    events = () if is_test else events_of(telling_of(news.occasion, decision))
    return {
        **found,
        "at": _moment_exactly(news.at_us),
        "told_as": sorted(events),
        "reason": None if news.reason is None else news.reason.name,
        "action": None if news.reason is None else news.reason.action.value,
        "title": wording.title(news),
        "sentence": " ".join(wording.sentences(news, harmless)),
    }


_TOLD_OTHERWISE: Final = frozenset({"reason", "at_us"})


def _value(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case dict():
            return {name: _value(part) for name, part in value.items()}
        case tuple() | list():
            return [_value(part) for part in value]
        case _:
            return value


def _moment_exactly(at_us: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
