"""Policies checked and planned over HTTP, experiments in pages, and decisions with what they rest on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.domain.decision import Reason
from rollout.errors import RequestRefused
from tests.api.control import POLICY, look
from tests.api.whole import Whole, whole


@pytest.fixture(scope="module", name="there")
def _there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("whole")) as served:
        yield served


@pytest.fixture(scope="module", name="viewer")
def _viewer(there: Whole) -> Iterator[ControlPlane]:
    with ControlPlane(Connection(there.url, token=there.secrets["viewer"])) as control:
        yield control


def test_lint_names_every_mistake_with_its_line(viewer: ControlPlane) -> None:
    fine = viewer.lint(POLICY.encode(), file="churn.yaml")
    assert (fine.name, fine.errors) == ("churn-v2", ())
    found = viewer.lint(POLICY.replace("steps:", "stpes:").encode(), file="churn.yaml")
    assert found.name is None
    assert any("did you mean 'steps'?" in one.message for one in found.errors)
    assert all(one.message.startswith("churn.yaml:") for one in found.errors)


def test_a_plan_says_how_long_and_what_to_change(viewer: ControlPlane) -> None:
    planned = viewer.plan(POLICY.encode())
    assert (planned.name, planned.is_refused) == ("churn-v2", False)
    assert planned.answer
    assert planned.document["steps"]
    with pytest.raises(RequestRefused, match="did you mean 'steps'"):
        viewer.plan(POLICY.replace("steps:", "stpes:").encode())


def test_pages_follow_the_order_of_starts(there: Whole, viewer: ControlPlane) -> None:
    with ControlPlane(Connection(there.url, token=there.secrets["operator"])) as operator:
        for number in range(3):
            text = POLICY.replace("churn-v2", f"other-{number}").replace("churn-2026q4", f"salt-{number}")
            operator.start(text.replace("path: /churn", f"path: /other-{number}").encode())
    names = [one.name for one in viewer.experiments()]
    assert names == ["churn-v2", "other-0", "other-1", "other-2"]
    for size in (1, 2, 3, 4):
        assert [one.name for one in viewer.experiments(page_size=size)] == names
    assert viewer.experiments(phase="paused") == ()
    assert len(viewer.experiments(phase="running")) == 4
    with pytest.raises(RequestRefused, match="input should be 'running'"):
        viewer.experiments(phase="walking")


def test_a_decision_is_shown_by_its_number(there: Whole, viewer: ControlPlane) -> None:
    with pytest.raises(RequestRefused, match="it has no decision 1; nothing is decided yet"):
        viewer.record("churn-v2", 1)
    look(there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    record = viewer.record("churn-v2", 1)
    assert (record.entry.number, record.entry.reason) == (1, "STEP_UNFINISHED")
    assert record.basis is None
    with pytest.raises(RequestRefused, match="is kept no more"):
        viewer.replay("churn-v2", 1)
