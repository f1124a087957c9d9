"""The audit over HTTP: who did what with which token from where, and a check that finds a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.client.audit import KnownHead
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.domain.access import Role
from rollout.errors import RequestRefused
from tests.api.whole import whole


def test_what_people_do_stands_in_the_audit_with_their_token_and_address(tmp_path: Path) -> None:
    with whole(tmp_path) as there:
        with ControlPlane(Connection(there.url, token=there.secrets["operator"])) as operator:
            before = len(list(operator.audit()))
            operator.pause("churn-v2", who="anna", why="lunch")
            operator.pause("churn-v2", who="ben", why="lunch too")
            with pytest.raises(RequestRefused):
                operator.resume("churn-v2", why="it is not paused yet")
        with ControlPlane(Connection(there.url, token=there.secrets["admin"])) as admin:
            admin.create_token("ci", Role.VIEWER)
            admin.revoke_token("ci")
            acts = list(admin.audit(page_size=2))
            asked, made, revoked = acts[before:]
            assert (asked.verb, asked.who, asked.why) == ("pause", "anna", "lunch")
            assert (asked.token, asked.origin, asked.subject) == ("a-operator", "127.0.0.1", "churn-v2")
            assert (made.verb, made.subject, made.why) == ("token create", "ci", "role viewer")
            assert (revoked.verb, revoked.who, revoked.token) == ("token revoke", "local", "local")
            assert [one.number for one in acts] == list(range(1, len(acts) + 1))
            fine = admin.verify_audit()
            assert (fine.found, fine.lines, fine.newest_hash) == (0, len(acts), revoked.hash)
            with there.database.write() as connection:
                connection.exec_driver_sql("DROP TRIGGER audit_is_kept_update")
                connection.exec_driver_sql("UPDATE audit SET who = 'nobody' WHERE verb = 'pause'")
            found = admin.verify_audit(KnownHead(number=fine.newest_number, hash=fine.newest_hash))
            assert found.found == 1
            assert f"audit line {asked.number}" in found.problems[0].where
