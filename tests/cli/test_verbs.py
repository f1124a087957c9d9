"""The verbs by which people ask something of a run: recorded once, with who and why, or refused with help."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from rollout.cli.names import offered
from rollout.cli.pause import pause
from rollout.domain.decision import Reason
from rollout.policyfile.reading import parse
from tests.api.control import POLICY, START_US, TOKEN, begin, house, look
from tests.cli.desk import Desk, Eyes, say
from tests.client.strange import nobody
from tests.domain.scenes import evidence


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    eyes = Eyes()
    eyes.seen = replace(evidence(), units_in_step=np.array([410, 320]))
    with house(tmp_path, sight=eyes) as there:
        begin(there.ledger)
        yield Desk(tmp_path, there)


def wish_of(desk: Desk) -> tuple[str, str, str] | None:
    experiment = desk.there.ledger.runs()[0].experiment
    wish = experiment.wish or experiment.rollback_wish
    return None if wish is None else (wish.kind.value, wish.who, wish.why)


@pytest.mark.parametrize(
    ("verb", "before", "noun"),
    [
        ("pause", None, "pause"),
        ("resume", Reason.PERSON_PAUSES, "resumption"),
        ("stop", None, "stop"),
        ("rollback", None, "rollback"),
        ("retire", Reason.PERSON_STOPS, "retirement"),
        ("retry", Reason.PROMOTION_FAILED, "retry"),
    ],
)
def test_a_wish_is_recorded_once_with_who_and_why(
    desk: Desk, verb: str, before: Reason | None, noun: str
) -> None:
    if before is not None:
        look(desk.there.ledger, "churn-v2", before)
    asked = say(desk, verb, "churn-v2", "--why", " because ", "--who", "anna")
    assert (asked.code, asked.err) == (0, "")
    assert asked.out.startswith(f"churn-v2: the {noun} is recorded; ")
    assert asked.out.endswith("see it happen: rollout status churn-v2 --watch\n")
    assert wish_of(desk) == (verb, "anna", "because")
    again = say(desk, verb, "churn-v2", "--why", "because", "--who", "anna")
    assert again.code == 0
    assert f"churn-v2: a {noun} was asked for before; it is " in again.out


def test_without_a_name_it_is_the_user_s(desk: Desk) -> None:
    asked = say(desk, "pause", "churn-v2", "--why", "x", "-o", "json", USER="ben", LOGNAME="ben")
    assert json.loads(asked.out)["is_new"] is True
    assert wish_of(desk) == ("pause", "ben", "x")


def test_what_was_asked_of_another_state_is_refused(desk: Desk) -> None:
    seen = json.loads(say(desk, "status", "churn-v2", "-o", "json").out)["version"]
    look(desk.there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    late = say(desk, "pause", "churn-v2", "--why", "x", "--who", "anna", "--if-version", str(seen))
    assert (late.code, late.out, wish_of(desk)) == (2, "", None)
    assert late.err.startswith("churn-v2: ")
    now = say(desk, "pause", "churn-v2", "--why", "x", "--who", "anna", "--if-version", str(seen + 1))
    assert (now.code, wish_of(desk)) == (0, ("pause", "anna", "x")), now.err


@pytest.mark.parametrize("verb", ["advance", "promote"])
def test_what_is_not_proven_needs_an_override(desk: Desk, verb: str) -> None:
    look(desk.there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    refused = say(desk, verb, "churn-v2", "--why", "hurry", "--who", "anna")
    assert (refused.code, refused.out, wish_of(desk)) == (2, "", None)
    assert "override" in refused.err
    taken = say(desk, verb, "churn-v2", "--override", "--why", "hurry", "--who", "anna")
    assert (taken.code, taken.err) == (0, "")
    assert wish_of(desk) == (verb, "anna", "hurry")


def test_an_approval_names_its_group(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    text = POLICY.replace("  decide:", "    - {approve: [growth-leads]}\n  decide:", 1)
    assert "approve" in text
    with house(tmp_path) as there:
        desk = Desk(tmp_path, there)
        there.ledger.start(parse(text, "churn.yaml"), START_US, text=text)
        early = say(desk, "approve", "churn-v2", "--why", "fine", "--who", "anna")
        assert (early.code, early.out) == (2, "")
        look(there.ledger, "churn-v2", Reason.APPROVAL_NEEDED)
        wrong = say(desk, "approve", "churn-v2", "--group", "growth-leds", "--why", "fine", "--who", "anna")
        assert (wrong.code, wrong.out) == (2, "")
        asked = say(desk, "approve", "churn-v2", "--group", "growth-leads", "--why", "fine", "--who", "anna")
        assert asked.out.startswith("churn-v2: the approval is recorded; the promotion follows when every ")
        wish = there.ledger.runs()[0].experiment.wish
        assert wish is not None
        assert (wish.group, wish.who) == ("growth-leads", "anna")


def test_list_filters_by_phase(desk: Desk) -> None:
    every = say(desk, "list")
    assert [line.split()[:2] for line in every.out.splitlines()] == [
        ["NAME", "PHASE"],
        ["churn-v2", "running"],
    ]
    assert "2.0.0 against 1.4.2" in every.out
    none = say(desk, "list", "--phase", "paused,promoted")
    assert (none.code, none.out) == (0, "no experiment is in these phases; `rollout list` shows all\n")
    found = json.loads(say(desk, "list", "--phase", "running", "-o", "json").out)
    assert [run["name"] for run in found["experiments"]] == ["churn-v2"]
    wrong = say(desk, "list", "--phase", "puased")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no phase 'puased': did you mean 'paused'?" in wrong.err


def test_wait_ends_where_it_is_wanted_and_says_where_else(desk: Desk) -> None:
    there = say(desk, "wait", "churn-v2", "--for", "running", "-o", "json")
    assert (there.code, json.loads(there.out)["phase"]) == (0, "running")
    late = say(desk, "wait", "churn-v2", "--for", "promoted", "--timeout", "100ms")
    assert late.code == 1
    assert late.err == (
        "churn-v2: still running when time was over, not promoted; see `rollout explain churn-v2`\n"
    )
    look(desk.there.ledger, "churn-v2", Reason.PERSON_STOPS)
    other = say(desk, "wait", "churn-v2", "--for", "promoted,watching")
    assert (other.code, other.err.partition(";")[0]) == (
        1,
        "churn-v2: ended as stopped, not promoted or watching",
    )
    assert say(desk, "wait", "churn-v2").code == 0


def test_wait_sees_what_happens_meanwhile(desk: Desk) -> None:
    def happen() -> None:
        time.sleep(0.3)
        look(desk.there.ledger, "churn-v2", Reason.PERSON_STOPS)

    hand = threading.Thread(target=happen)
    hand.start()
    found = say(desk, "wait", "churn-v2", "--for", "stopped", "--timeout", "1m")
    hand.join()
    assert found.code == 0
    assert "  churn-v2  stopped  " in found.out


@pytest.mark.parametrize("timeout", ["soon", "0s", "-1m"])
def test_a_timeout_is_a_span(desk: Desk, timeout: str) -> None:
    refused = say(desk, "wait", "churn-v2", "--timeout", timeout)
    assert (refused.code, refused.out) == (2, "")
    assert "must be" in refused.err


def test_names_are_completed_and_nobody_there_is_no_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = click.Context(pause)
    for name, value in desk.settings.items():
        monkeypatch.setenv(name, value)
    assert [item.value for item in offered(context, pause.params[0], "ch")] == ["churn-v2"]
    assert offered(context, pause.params[0], "x") == []
    with nobody() as url:
        monkeypatch.setenv("ROLLOUT_CONTROL_URL", url)
        assert offered(context, pause.params[0], "") == []
