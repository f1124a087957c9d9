"""`rollout replay`: recorded decisions are recomputed, through a control plane and from its folder alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rollout.domain.basis import Basis
from rollout.domain.decide import decide
from rollout.domain.decision import Reason
from rollout.domain.evolve import evolve
from rollout.domain.history import Entry
from rollout.domain.judge import Patience, judge
from rollout.store.ledger import SqlLedger
from tests.api.control import START_US, look
from tests.api.whole import whole
from tests.cli.test_tokens import Office
from tests.domain.scenes import SECOND_US, evidence


def decided(ledger: SqlLedger, *, at_s: int, errors: float = 0.0005, claims: Reason | None = None) -> None:
    """Record what the rules decide of this evidence, with what it rests on; or another claim."""
    run = ledger.runs()[0]
    at_us = START_US + at_s * SECOND_US
    seen = replace(evidence(errors=errors), watermark_us=at_us, fast_watermark_us=at_us)
    patience = Patience()
    judgement = judge(run.experiment, seen, at_us, patience)
    decision = decide(run.experiment, judgement, None, at_us)
    if claims is not None:
        decision = replace(decision, reason=claims, metric=None)
    after = evolve(run.experiment, judgement, decision, at_us)
    number = 1 if run.last is None else run.last.number + 1
    mark, policy = seen.watermark_us, after.policy
    entry = Entry(number, at_us, decision, after.phase, after.step, judgement, mark, after.revision, policy)
    basis = Basis(
        program="0.0.1",
        before=run.experiment,
        after=after,
        patience=patience,
        evidence=seen,
        job=None,
        traffic_is_live=True,
        window_is_open=True,
    )
    assert ledger.record(run, after, entry, basis=basis)


@pytest.fixture(name="office", scope="module")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    with whole(folder) as there:
        look(there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
        decided(there.ledger, at_s=60)
        decided(there.ledger, at_s=70, claims=Reason.EVIDENCE_STALE)
        decided(there.ledger, at_s=80, errors=0.2)
        yield Office(folder, there)


@pytest.mark.parametrize("offline", [(), ("--database", ".")], ids=["asked", "offline"])
def test_a_decision_agrees_or_it_is_said_what_differs(office: Office, offline: tuple[str, ...]) -> None:
    newest = office.say("replay", "churn-v2", *offline)
    assert newest.code == 0, newest.out + newest.err
    assert newest.out.startswith("decision 4 agrees with its record, recorded by 0.0.1 and recomputed by ")
    wrong = office.say("replay", "churn-v2", "3", *offline)
    assert wrong.code == 1
    assert wrong.out.startswith("decision 3 does NOT agree with its record, recorded by 0.0.1 and ")
    assert "  decision.reason: recorded EVIDENCE_STALE, recomputed " in wrong.out
    gone = office.say("replay", "churn-v2", "1", *offline)
    assert (gone.code, gone.out) == (2, "")
    assert "what decision 1 rests on is kept no more" in gone.err


@pytest.mark.parametrize("offline", [(), ("--database", ".")], ids=["asked", "offline"])
def test_all_of_them_are_counted(office: Office, offline: tuple[str, ...]) -> None:
    every = office.say("replay", "churn-v2", "--all", *offline)
    assert every.code == 1
    assert every.out.endswith("kept no more, since they changed nothing: 1\n2 of 3 agree\n")
    document = json.loads(office.say("replay", "churn-v2", "--all", "-o", "json", *offline).out)
    assert [one["agrees"] for one in document["replayed"]] == [True, False, True]
    assert document["kept_no_more"] == [1]


def test_explain_tells_what_was_waited_for_then(office: Office) -> None:
    told = office.say("explain", "churn-v2", "--decision", "2").out
    assert told.startswith("churn-v2, decision 2, revision 1\n")
    assert "\nwhat it waited for then:\n  the step lasts 30m of unpaused time with fresh evidence; " in told
    assert "so it can be over at 2030-03-14 18:17:40 UTC at the earliest\n" in told
    assert told.endswith("\nall of it was kept: rollout replay churn-v2 2\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("churn-v2", "9"), "it has no decision 9; its newest is 4"),
        (("churn-v2", "2", "--all"), "a number and --all exclude each other"),
        (("other", "--database", "."), "it has no experiment other"),
        (("churn-v2", "--database", "nowhere"), "there is no control.db; name the folder of `rollout up`"),
        (("chrun-v2",), "did you mean 'churn-v2'?"),
    ],
)
def test_what_cannot_be_recomputed(office: Office, arguments: tuple[str, ...], complaint: str) -> None:
    result = office.say("replay", *arguments)
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err
