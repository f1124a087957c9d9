"""Every experiment and judgement comes back as it was written; what was not written here is refused."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.assignment import Split
from rollout.domain.decision import Reason
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.domain.verdict import Finding, Judgement, Verdict
from rollout.store.ledger_json import Unreadable, read, written
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US, judgement

floats = st.floats(allow_nan=False)
st.register_type_strategy(float, floats)
texts = st.text(max_size=20)
# Every field is drawn, those with a default too.
policies = st.from_type(Policy)
experiments = st.builds(Experiment, policy=policies, latches=st.dictionaries(texts, floats, max_size=3))
judgements = st.builds(Judgement, latches=st.dictionaries(texts, floats, max_size=3))
entries = st.builds(Entry, judgement=judgements)


@given(experiments)
def test_an_experiment_comes_back(experiment: Experiment) -> None:
    assert read(Experiment, written(experiment)) == experiment
    beside = written(experiment, without=frozenset({"policy"}))
    assert "policy" not in json.loads(beside)
    assert read(Experiment, beside, policy=experiment.policy) == experiment


@given(entries)
def test_an_entry_comes_back(entry: Entry) -> None:
    assert read(Entry, written(entry)) == entry


def test_what_is_not_a_number_comes_back() -> None:
    (verdict,) = (replace(judgement().verdicts[0], log_e_proof=math.nan, interval=(-math.inf, 0.5)),)
    back = read(Judgement, written(replace(judgement(), verdicts=(verdict,)))).verdicts[0]
    assert math.isnan(back.log_e_proof)
    assert back.interval == (-math.inf, 0.5)


def test_writing_is_canonical() -> None:
    forwards = replace(EXPERIMENT, latches={"a": 1.0, "b": 2.0})
    backwards = replace(EXPERIMENT, latches={"b": 2.0, "a": 1.0})
    assert written(forwards) == written(backwards)
    assert " " not in written(EXPERIMENT)


def test_every_reason_comes_back() -> None:
    entry = Entry(1, NOW_US, None, EXPERIMENT.phase, 0, judgement(), None, 1, POLICY)  # type: ignore[arg-type]
    for reason in Reason:
        content = json.loads(written(entry)) | {"decision": {"reason": reason.name, "metric": None}}
        assert read(Entry, json.dumps(content)).decision.reason is reason


def test_a_field_that_an_older_program_did_not_know_has_its_default() -> None:
    content = json.loads(written(EXPERIMENT))
    del content["rollback_wish"]
    assert read(Experiment, json.dumps(content)) == EXPERIMENT


def test_a_look_that_was_recorded_before_doubts_had_words_comes_back() -> None:
    content = json.loads(written(judgement()))
    assert content.pop("held_by") is None
    assert {verdict.pop("why") for verdict in content["verdicts"]} == {None}
    assert read(Judgement, json.dumps(content)) == judgement()
    doubted = replace(judgement(), verdicts=(Verdict("p99", Finding.MISSING, why="n1 lost records"),))
    assert read(Judgement, written(doubted)) == doubted


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("phase", "dancing"),
        ("step", "1"),
        ("step", 1.5),
        ("step", True),
        ("rollback_failed", 1),
        ("latches", []),
        ("unknown", 1),
        ("rollback_wish", {"who": "ann"}),
    ],
)
def test_what_was_not_written_here_is_refused(path: str, value: object) -> None:
    content = json.loads(written(EXPERIMENT)) | {path: value}
    with pytest.raises(Unreadable, match=path):
        read(Experiment, json.dumps(content))


@pytest.mark.parametrize("missing", [field.name for field in fields(Policy)][:9])
def test_a_missing_field_is_refused(missing: str) -> None:
    content = json.loads(written(POLICY))
    del content[missing]
    with pytest.raises(Unreadable, match=missing):
        read(Policy, json.dumps(content))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"uid": 1'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read(Experiment, text)


def test_a_set_is_written_in_one_order_and_holds_each_part_once() -> None:
    assert written(Split(stopped=frozenset({3, 1, 2}))) == written(Split(stopped=frozenset({2, 3, 1})))
    assert read(Split, '{"stopped":[2,1]}').stopped == {1, 2}
    with pytest.raises(Unreadable, match="twice"):
        read(Split, '{"stopped":[1,1]}')
