"""`rollout token` and `rollout audit`, against a control plane with real tokens and a real audit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.whole import Whole, whole
from tests.cli.desk import Said, say


@dataclass(frozen=True)
class Office:
    """A user's folder, and a control plane where every role has its token."""

    home: Path
    there: Whole

    @property
    def settings(self) -> dict[str, str]:
        return {"ROLLOUT_CONTROL_URL": self.there.url, "ROLLOUT_TOKEN": self.there.secrets["admin"]}

    def say(self, *arguments: str, role: str = "admin") -> Said:
        return say(self, *arguments, ROLLOUT_TOKEN=self.there.secrets[role])


@pytest.fixture(name="office", scope="module")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    with whole(folder) as there:
        yield Office(folder, there)


def test_a_token_is_printed_once_and_opens_until_it_is_revoked(office: Office) -> None:
    made = office.say("token", "create", "ci", "--role", "viewer", "--expires", "90d")
    assert made.code == 0, made.err
    secret = made.out.strip()
    assert len(made.out.split()) == 1, "the secret alone, for a file"
    assert made.err == "ci: viewer; this is its secret, shown once\n"
    assert say(office, "list", ROLLOUT_TOKEN=secret).code == 0
    listed = office.say("token", "list")
    assert secret not in listed.out + listed.err
    row = next(line for line in listed.out.splitlines() if line.startswith("ci "))
    assert row.split()[1:3] == ["viewer", "live"]
    known = json.loads(office.say("token", "list", "-o", "json").out)["tokens"]
    assert {token["name"] for token in known} >= {"ci", "a-viewer", "expired"}
    refused = say(office, "pause", "churn-v2", "--why", "x", ROLLOUT_TOKEN=secret)
    assert (refused.code, refused.out) == (2, "")
    assert office.say("token", "revoke", "ci").out == "ci opens nothing any more\n"
    assert say(office, "list", ROLLOUT_TOKEN=secret).code == 2


def test_an_approver_has_groups_and_nobody_else_makes_tokens(office: Office) -> None:
    made = office.say(
        "token", "create", "anna", "--role", "approver", "--group", "growth-leads", "-o", "json"
    )
    token = json.loads(made.out)
    assert (token["token"]["groups"], bool(token["secret"])) == (["growth-leads"], True)
    twice = office.say("token", "create", "anna", "--role", "viewer")
    assert (twice.code, twice.out) == (2, "")
    operator = office.say("token", "create", "mine", "--role", "admin", role="operator")
    assert (operator.code, operator.out) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("create", "x"), "--role is missing: viewer, operator, approver, admin, node or app"),
        (("create", "x", "--role", "veiwer"), "did you mean 'viewer'?"),
        (
            ("create", "x", "--role", "viewer", "--expires", "90m"),
            "--expires must be whole days; write, say, 90d",
        ),
        (("create", "x", "--role", "viewer", "--expires", "soon"), "must be a duration such as"),
    ],
)
def test_what_is_not_said_well_makes_nothing(
    office: Office, arguments: tuple[str, ...], complaint: str
) -> None:
    result = office.say("token", *arguments)
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err


def test_the_audit_says_who_did_what_and_why(office: Office) -> None:
    asked = office.say("pause", "churn-v2", "--why", "sale week", "--who", "ben", role="operator")
    assert asked.code == 0, asked.err
    shown = office.say("audit", "show", "--of", "churn-v2", "--who", "ben").out.splitlines()
    assert shown[0].split() == ["NO", "AT", "WHO", "TOKEN", "ORIGIN", "VERB", "SUBJECT", "WHY"]
    assert len(shown) == 2
    assert shown[1].split()[3:] == ["ben", "a-operator", "127.0.0.1", "pause", "churn-v2", "sale", "week"]
    lines = office.say("audit", "show", "--verb", "pause", "-o", "json").out.splitlines()
    assert json.loads(lines[-1])["why"] == "sale week"
    assert len(office.say("audit", "show", "--last", "1").out.splitlines()) == 2
    assert office.say("audit", "show", "--who", "nobody").out == "nothing such was done\n"


def test_verify_agrees_notes_and_finds_what_was_changed(tmp_path: Path) -> None:
    with whole(tmp_path) as there:
        office = Office(tmp_path, there)
        office.say("pause", "churn-v2", "--why", "sale week", "--who", "ben")
        fine = office.say("audit", "verify", "--note", "audit.note")
        assert fine.code == 0, fine.out + fine.err
        assert "and everything they vouch for is as it was recorded\nnewest: line " in fine.out
        assert office.say("audit", "verify", "--known", "audit.note").code == 0
        with closing(sqlite3.connect(tmp_path / "control.db")) as database:
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                database.execute(f"DROP TRIGGER {name}")
            changed = database.execute("UPDATE audit SET why = 'nothing' WHERE who = 'ben'")
            assert changed.rowcount == 1
            database.commit()
        found = office.say("audit", "verify")
        assert found.code == 1
        assert "the audit was changed: " in found.out
        (tmp_path / "bad.note").write_text("junk")
        for note, complaint in (("bad.note", "is no note of the audit"), ("gone", "no such file")):
            wrong = office.say("audit", "verify", "--known", note)
            assert (wrong.code, wrong.out) == (2, "")
            assert complaint in wrong.err
