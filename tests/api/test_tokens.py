"""Tokens over HTTP: shown once, kept as digests, ended by time or by hand, and each with one role."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rollout.api.gate import USED_EVERY_US
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.domain.access import Role, Token
from rollout.errors import RequestRefused
from rollout.store.access import ENDED_KEPT_US
from tests.api.whole import Whole, act, whole

DAY_US = 86_400 * 1_000_000


@pytest.fixture(name="there")
def _there(tmp_path: Path) -> Iterator[Whole]:
    with whole(tmp_path) as served:
        yield served


@pytest.fixture(name="admin")
def _admin(there: Whole) -> Iterator[ControlPlane]:
    with ControlPlane(Connection(there.url, token=there.secrets["admin"])) as control:
        yield control


def bearing(there: Whole, secret: str | None) -> ControlPlane:
    return ControlPlane(Connection(there.url, token=secret))


def test_a_token_is_shown_once_and_opens_what_its_role_says(there: Whole, admin: ControlPlane) -> None:
    made = admin.create_token("ci", Role.VIEWER, expires_days=1)
    assert made.secret is not None
    assert re.fullmatch(r"rollout_[0-9a-f]{64}", made.secret), "one that leaked is found by its shape"
    assert (made.token.created_by, made.token.is_live) == ("local", True)
    with bearing(there, made.secret) as viewer:
        assert [one.name for one in viewer.experiments()] == ["churn-v2"]
        with pytest.raises(RequestRefused, match="is of role viewer, and this needs operator or admin"):
            viewer.rollback("churn-v2", why="to see whether I may")
    listed = {one.name: one for one in admin.tokens()}
    assert listed["ci"].role == "viewer"
    assert made.secret not in str(listed)
    files = [path for path in there.folder.rglob("*") if path.is_file()]
    assert all(made.secret.encode() not in path.read_bytes() for path in files)


def test_a_token_ends_with_its_time_or_at_once(there: Whole, admin: ControlPlane) -> None:
    short = admin.create_token("short", Role.VIEWER, expires_days=1).secret
    ended = admin.create_token("ended", Role.VIEWER).secret
    assert not admin.revoke_token("ended").is_live
    there.clock.now_us += DAY_US
    for secret in (short, ended):
        with bearing(there, secret) as late, pytest.raises(RequestRefused, match="the token was refused"):
            late.experiments()
    assert {one.name: one.is_live for one in admin.tokens()}["short"] is False


def test_no_name_is_given_twice_until_long_after_its_end(there: Whole, admin: ControlPlane) -> None:
    admin.create_token("ci", Role.VIEWER)
    admin.revoke_token("ci")
    for name in ("ci", "local", "local-node"):
        with pytest.raises(RequestRefused, match="its name is taken"):
            admin.create_token(name, Role.VIEWER)
    there.clock.now_us += ENDED_KEPT_US + 1
    admin.create_token("ci", Role.OPERATOR)


def test_only_approvers_have_groups(admin: ControlPlane) -> None:
    with pytest.raises(RequestRefused, match="name its groups"):
        admin.create_token("lead", Role.APPROVER)
    with pytest.raises(RequestRefused, match="approves in nobody's name"):
        admin.create_token("lead", Role.VIEWER, groups=("leads",))
    assert admin.create_token("lead", Role.APPROVER, groups=("leads",)).token.groups == ("leads",)


def test_the_houses_own_tokens_are_not_revoked_and_no_others_are_known(admin: ControlPlane) -> None:
    with pytest.raises(RequestRefused, match="draws it anew"):
        admin.revoke_token("local")
    with pytest.raises(RequestRefused, match="no such token"):
        admin.revoke_token("nobody")


def test_another_processs_change_is_known_soon_and_use_is_noted_by_the_hour(there: Whole) -> None:
    ending = threading.Event()
    thread = threading.Thread(target=there.gate.keep_fresh, args=[ending])
    thread.start()
    try:
        headers = {"authorization": f"Bearer {there.secrets['viewer']}"}
        place = f"{there.url}/v1/experiments"
        assert httpx.get(place, headers=headers, trust_env=False).status_code == 200
        assert there.tokens.revoke("a-viewer", act(there.clock())) is not None
        for _ in range(100):
            if httpx.get(place, headers=headers, trust_env=False).status_code == 401:
                break
            ending.wait(0.1)
        else:
            pytest.fail("a revoked token is still let in")
    finally:
        ending.set()
        thread.join()
    used = {one.name: one.used_us for one in there.tokens.all()}
    assert used["a-viewer"] is not None
    assert used["a-operator"] is None
    assert USED_EVERY_US == 3_600 * 1_000_000


def test_an_approver_approves_for_its_groups_only(there: Whole) -> None:
    with bearing(there, there.secrets["approver"]) as approver, pytest.raises(RequestRefused) as caught:
        approver.approve("churn-v2", why="fine")
    assert "its policy asks nobody to approve" in str(caught.value)
    with bearing(there, there.secrets["operator"]) as operator:
        with pytest.raises(RequestRefused, match="override needs an admin's token"):
            operator.advance("churn-v2", why="now", override=True)
        with pytest.raises(RequestRefused, match="this needs approver or admin"):
            operator.approve("churn-v2", why="fine")


def test_there_is_an_end_to_how_many_tokens_there_are(there: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    known = len(there.tokens.all())
    monkeypatch.setattr("rollout.store.access.MOST", known + 1)
    assert there.tokens.create(Token("one", "a", Role.VIEWER, 1), act(1))
    assert not there.tokens.create(Token("two", "b", Role.VIEWER, 1), act(1))
