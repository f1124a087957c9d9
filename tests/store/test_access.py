"""Tokens and kept answers on every kind of control database."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.access import Role, Token
from rollout.store.access import SqlTokens
from rollout.store.auditing import lines
from rollout.store.database import Database
from rollout.store.kept_answers import UNDER_WAY_US, Asked, SqlKeptAnswers
from tests.api.whole import act

TOKEN = Token("ci", "ab" * 32, Role.APPROVER, 7, frozenset({"leads", "legal"}), "anna", expires_us=99)
ASKED = Asked("ci", "key-1", "digest")


def test_a_token_is_what_was_made_until_it_is_revoked(database: Database) -> None:
    tokens = SqlTokens(database)
    assert tokens.create(TOKEN, act(7))
    assert not tokens.create(replace(TOKEN, digest="cd" * 32), act(7)), "a name is one token's"
    assert tokens.all() == (TOKEN,)
    tokens.used("ci", 8)
    assert tokens.revoke("ci", act(9)) == replace(TOKEN, used_us=8, revoked_us=9)
    assert tokens.revoke("ci", act(10)) == replace(TOKEN, used_us=8, revoked_us=9), "once"
    assert tokens.revoke("nobody", act(10)) is None
    with database.read() as connection:
        assert len(lines(connection, after=0, limit=9)) == 2, "what changed nothing is no act"
    assert (TOKEN.ended(98), TOKEN.ended(99)) == (None, "has expired")


def test_a_houses_own_token_follows_its_file(database: Database) -> None:
    tokens = SqlTokens(database)
    own = Token("local", "ab" * 32, Role.ADMIN, 1)
    tokens.keep(own)
    tokens.used("local", 5)
    tokens.keep(replace(own, created_us=6))
    assert tokens.all() == (replace(own, used_us=5),), "the same file is the same token"
    tokens.revoke("local", act(7))
    drawn = replace(own, digest="cd" * 32, created_us=8)
    tokens.keep(drawn)
    assert tokens.all() == (drawn,)


def test_an_answer_is_kept_under_its_callers_key(database: Database) -> None:
    kept = SqlKeptAnswers(database)
    assert kept.begin(ASKED, 1) is None
    known = kept.begin(ASKED, 2)
    assert known is not None
    assert (known.digest, known.status) == ("digest", None)
    kept.end(ASKED, 202, "{}", "body")
    known = kept.begin(replace(ASKED, digest="other"), 3 + UNDER_WAY_US)
    assert known is not None
    assert (known.digest, known.status, known.body) == ("digest", 202, "body")
    assert kept.begin(replace(ASKED, caller="another"), 4) is None
