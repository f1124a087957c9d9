"""What people and programs read: a golden for every event, and nothing that somebody wrote does anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.decision import Reason
from rollout.domain.news import Letter, changed
from rollout.domain.policy import Event, Version
from rollout.domain.telling import TELLINGS, Occasion
from rollout.domain.wish import Asked, Wish
from rollout.notify.errand import Kind
from rollout.notify.letters import Form, document, message
from rollout.notify.wording import LONGEST, harmless
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US
from tests.notify.stories import TOLD, letter, news

GOLDEN = Path(__file__).parent / "golden"
PUBLIC = "https://rollout.example.org"
STRANGE = "@here <!channel> [free](https://evil.example) `*x*`\n\x1b[31m# \u202eevil **b** @everyone"


def shown(sent: Letter) -> str:
    """Return a letter as chats and mail show it."""
    parts = []
    for form in (Form.CHAT, Form.PLAIN):
        found = message(sent, form, PUBLIC)
        parts.append(f"--- {form} ({found.kind}) ---\n{found.title}\n\n{found.body}\n")
    return "\n".join(parts)


def of_event(event: Event) -> list[Letter]:
    """Return a letter for every reason of an event."""
    chosen = [
        reason for reason in TOLD if (telling := TELLINGS[reason]) is not None and telling.event is event
    ]
    return [letter(news(reason)) for reason in chosen]


def occasions() -> list[Letter]:
    """Return what is told of runs without a decision."""
    told = (Occasion.STARTED, Occasion.REVISED, Occasion.AMENDED, Occasion.TESTED)
    return [letter(changed(one, 1, replace(EXPERIMENT, step=0), NOW_US, None)) for one in told]


def burst(size: int) -> Letter:
    """Return a letter of many news, of which one is a rollback."""
    return letter(*[news(Reason.STEP_PASSED)] * (size - 1), news(Reason.METRIC_HARMED))


def strange() -> Letter:
    """Return a letter in which everything that somebody wrote is hostile."""
    policy = replace(
        POLICY,
        owner=STRANGE,
        baseline=Version(STRANGE, "http://a"),
        candidates=(Version(STRANGE, "http://b"),),
    )
    wish = Wish(STRANGE, STRANGE, NOW_US, Asked.APPROVE, STRANGE)
    told = news(Reason.PERSON_APPROVES, run=replace(EXPERIMENT, policy=policy), wish=wish)
    return letter(replace(told, metric=STRANGE, awaits=(STRANGE,)))


STORIES: dict[str, Callable[[], list[Letter]]] = {
    **{event.value: partial(of_event, event) for event in Event},
    "occasions": occasions,
    "burst": lambda: [burst(3), burst(40)],
    "strange": lambda: [strange()],
}


@pytest.mark.parametrize("name", STORIES)
def test_every_event_reads_as_its_golden(name: str, update_golden: bool) -> None:  # noqa: FBT001
    text = "\n".join(map(shown, STORIES[name]()))
    file = GOLDEN / f"{name}.txt"
    if update_golden:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_programs_read_what_the_golden_says(update_golden: bool) -> None:  # noqa: FBT001
    sent = letter(news(Reason.METRIC_HARMED), news(Reason.PERSON_PROMOTES))
    text = json.dumps(json.loads(document(sent)), indent=2) + "\n"
    file = GOLDEN / "webhook.json"
    if update_golden:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_there_is_no_golden_too_many() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == {*STORIES, "webhook"}


@pytest.mark.parametrize("form", Form)
def test_strange_names_ping_nobody_and_mark_nothing_up(form: Form) -> None:
    found = message(strange(), form, None)
    for text in (found.title, found.body):
        assert not re.search(r"@(here|everyone)|<|\]\(|\x1b|\u202e|://", text)
    if form is Form.CHAT:
        outside = re.sub(r"`[^`\n]*`", "", found.body)
        assert "evil" not in outside


def test_a_title_is_one_line() -> None:
    assert "\n" not in message(strange(), Form.PLAIN, None).title


@given(st.text())
def test_whatever_somebody_wrote_is_one_harmless_line(text: str) -> None:
    found = harmless(text)
    assert all(sign.isprintable() or sign == "\u200b" for sign in found)
    assert not re.search(r"@[^\u200b]|[<>]|\]\(|://", found + "\u200b")
    assert len(found.replace("\u200b", "")) <= LONGEST


def test_a_burst_tells_the_most_urgent_first_and_counts_the_rest() -> None:
    found = message(burst(40), Form.PLAIN, None)
    assert found.title == "churn-v2: rolled back (errors), and 39 more"
    assert found.kind is Kind.FAILURE
    assert "And 37 more:" in found.body
    assert len(found.body) < 4_000


def test_a_program_gets_every_news_of_a_burst() -> None:
    events = json.loads(document(burst(40)))["events"]
    assert len({event["id"] for event in events}) == 40


@pytest.mark.parametrize("reason", TOLD)
def test_every_message_has_a_title_a_sentence_and_how_to_learn_more(reason: Reason) -> None:
    found = message(letter(news(reason)), Form.PLAIN, PUBLIC)
    assert found.title.startswith("churn-v2: ")
    assert f"{PUBLIC}/v1/experiments/churn-v2/report" in found.body
    assert "rollout explain churn-v2" in found.body
    assert reason.meaning[1:] in found.body


def test_a_person_who_rolls_back_is_no_alarm() -> None:
    kinds = {
        reason: message(letter(news(reason)), Form.PLAIN, None).kind
        for reason in (Reason.METRIC_HARMED, Reason.PERSON_ROLLS_BACK, Reason.PROMOTION_DONE)
    }
    assert list(kinds.values()) == [Kind.FAILURE, Kind.WARNING, Kind.SUCCESS]
