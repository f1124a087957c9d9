"""The client against the real routes: typed answers, and refusals as the control plane words them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rollout.client.answers import Change, ReportFormat, Scale
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane, path_of
from rollout.domain.decision import Reason
from rollout.errors import RequestRefused
from tests.api.control import POLICY, TOKEN, House, house, look

TEXT = POLICY.encode()


@pytest.fixture(name="there")
def _there(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as there:
        yield there


@pytest.fixture(name="control")
def _control(there: House) -> Iterator[ControlPlane]:
    with ControlPlane(Connection(there.url, token=TOKEN)) as control:
        yield control


def test_a_run_from_its_start_to_its_report(there: House, control: ControlPlane) -> None:
    assert control.experiments() == ()
    started = control.start(TEXT, file="churn.yaml")
    assert (started.is_new, started.experiment.name) == (True, "churn-v2")
    assert not control.start(TEXT).is_new
    look(there.ledger, "churn-v2", Reason.STEP_PASSED)
    found = control.experiment("churn-v2")
    assert (found.step, found.candidates, found.look is not None) == (2, ("2.0.0",), True)
    assert control.experiments() == (found,)
    assert found.look is not None
    assert [verdict.scale for verdict in found.look.verdicts] == [
        Scale.LIFT,
        Scale.LIFT,
        Scale.SHARE,
        Scale.SHARE,
    ]
    asked = control.rollback("churn-v2", who="anna", why="wrong answers")
    assert asked.experiment.rollback_wish is not None
    assert asked.experiment.rollback_wish.why == "wrong answers"
    assert control.report("churn-v2", ReportFormat.MARKDOWN) == "markdown: churn-v2 with 1 entries"


def test_history_is_read_to_its_end(there: House, control: ControlPlane) -> None:
    control.start(TEXT)
    for _ in range(5):
        look(there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    assert [entry.number for entry in control.history("churn-v2", page_size=2)] == [1, 2, 3, 4, 5]


def test_two_clients_start_one_run(there: House) -> None:
    def start(_: int) -> tuple[bool, str]:
        with ControlPlane(Connection(there.url, token=TOKEN)) as control:
            started = control.start(TEXT)
            return started.is_new, started.experiment.uid

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(start, range(4)))
    assert sorted(is_new for is_new, _ in answers) == [False, False, False, True]
    assert len({uid for _, uid in answers}) == 1


@pytest.mark.parametrize(
    ("token", "what"), [("another-token-of-mine", "the token was refused"), (None, "a token is needed")]
)
def test_a_wrong_token_says_where_the_right_one_is(token: str | None, what: str, there: House) -> None:
    with ControlPlane(Connection(there.url, token=token)) as control, pytest.raises(RequestRefused) as caught:
        control.experiments()
    assert str(caught.value).startswith(
        f"{there.url}: {what}; name the file with the token in ROLLOUT_TOKEN_FILE"
    )


def test_an_unknown_name_and_a_conflict_and_findings(control: ControlPlane) -> None:
    control.start(TEXT)
    with pytest.raises(RequestRefused, match="chrun-v2: no such experiment; did you mean 'churn-v2'"):
        control.experiment("chrun-v2")
    assert control.start(TEXT.replace(b"12h", b"6h")).change is Change.NEW_REVISION
    with pytest.raises(RequestRefused, match="churn-v2: it is running with another policy"):
        control.start(TEXT.replace(b"churn-2026q4", b"other"))
    with pytest.raises(RequestRefused) as caught:
        control.start(TEXT.replace(b"minEffect", b"minEfect").replace(b"margin", b"margn"), file="churn.yaml")
    assert len(caught.value.problems) >= 2
    assert all(problem.where.startswith("churn.yaml:") for problem in caught.value.problems)


@pytest.mark.parametrize("name", ["../healthz", "a b", "ü?x=1#", "%2e%2e", ".."])
def test_a_name_stays_one_part_of_the_path(name: str, control: ControlPlane) -> None:
    assert "/" not in path_of(name).removeprefix("/v1/experiments/")
    with pytest.raises(RequestRefused):
        control.experiment(name)
