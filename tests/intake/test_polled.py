"""A metrics server beside the looks: what it says counts as old as it is, and its silence delays nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.controller.workers import Threads
from rollout.domain.decide import decide
from rollout.domain.decision import Reason
from rollout.domain.experiment import Phase
from rollout.domain.judge import Patience, judge
from rollout.domain.metric import Role
from rollout.domain.verdict import Finding, Verdict
from rollout.errors import Problem
from rollout.intake.polled import PolledEvidence
from tests.contracts.evidence import EvidenceContract, Seen
from tests.prometheus.runs import (
    INTERVAL_S,
    METRIC,
    START_S,
    TWO,
    at,
    polling,
    polls,
    running,
    told,
    watching,
)
from tests.simulation.fakes import Inline, MemoryMetrics

QUERY = 'gpu{version="2.0.0"}'
OUTAGE = Problem("Prometheus", "does not answer", "ask again")


def metrics(values: str, query: str = QUERY) -> MemoryMetrics:
    """Return a server with a value at each poll: good, breach, or none."""
    server = MemoryMetrics()
    server.values[query] = {
        START_S + INTERVAL_S * number: {"g": 0.5, "b": 0.95}[sign]
        for number, sign in enumerate(values, start=1)
        if sign != "-"
    }
    return server


def source(server: MemoryMetrics | None) -> PolledEvidence:
    return PolledEvidence(server, workers=Inline())


def finding(here: PolledEvidence, after_s: float) -> Finding:
    """Return what a look finds of the metric."""
    return verdict(here, after_s).finding


def why(here: PolledEvidence, after_s: float) -> str | None:
    """Return why a look finds nothing of the metric."""
    return verdict(here, after_s).why


def verdict(here: PolledEvidence, after_s: float) -> Verdict:
    run = polling()
    found = replace(
        here.observe(run, at(after_s)).evidence, watermark_us=at(after_s), fast_watermark_us=at(after_s)
    )
    (found_one,) = [
        one for one in judge(run, found, at(after_s), Patience()).verdicts if one.metric == METRIC.name
    ]
    return found_one


class TestPolledEvidence(EvidenceContract):
    @pytest.fixture
    def seen(self) -> Seen:
        return Seen(source(metrics("ggb")), polling(), at(33))

    @pytest.fixture
    def silent(self) -> Iterator[Seen]:
        server = metrics("ggb")
        server.may_answer = threading.Event()
        yield Seen(PolledEvidence(server), polling(), at(300))
        server.may_answer.set()


@pytest.mark.parametrize(
    ("values", "after_s", "found"),
    [
        ("ggg", 33, Finding.SAFE),
        ("gg", 33, Finding.UNCLEAR),
        ("ggg-", 43, Finding.UNCLEAR),
        ("gbg", 33, Finding.UNCLEAR),
        ("bbb", 33, Finding.HARMED),
        ("bb-b", 43, Finding.HARMED),
        ("bbgb", 43, Finding.UNCLEAR),
        ("b-bbggg", 73, Finding.HARMED),
        ("bbbggggggggggggggg", 183, Finding.SAFE),
        ("b-bgb-b", 73, Finding.UNCLEAR),
        ("b--------b--", 123, Finding.UNCLEAR),
        ("ggg---", 63, Finding.MISSING),
        ("-" * 20, 203, Finding.MISSING),
        ("bbb---", 63, Finding.HARMED),
    ],
)
def test_so_many_measured_polls_in_a_row_decide(values: str, after_s: float, found: Finding) -> None:
    assert finding(source(metrics(values)), after_s) is found


def test_breaches_roll_back_and_the_last_value_can_be_read() -> None:
    run, here = polling(), source(metrics("ggbbb"))
    found = here.observe(run, at(53)).evidence
    assert found.arms[0].polls["gpu"].latest == 0.95
    judgement = judge(run, found, at(53), Patience())
    assert decide(run, judgement, None, at(53)).reason is Reason.LIMIT_VIOLATED


def test_a_silent_server_makes_gaps_and_its_last_word_grows_old() -> None:
    server = metrics("ggggggggg")
    here, run = source(server), polling()
    assert polls(here, run, 33) == "ggg"
    server.problem = OUTAGE
    assert polls(here, run, 43) == "ggg", "the fourth may yet be answered"
    assert "does not answer" in told(here, run, 43)
    assert polls(here, run, 53) == "ggg-"
    assert polls(here, run, 73) == "ggg---"
    assert finding(here, 73) is Finding.MISSING
    assert why(here, 73) == "Prometheus: does not answer"
    server.problem = None
    assert polls(here, run, 83) == "gggggggg", "what the server measured meanwhile was measured"
    assert told(here, run, 83) == ""


def test_a_server_is_asked_once_for_each_poll_and_soon_again_after_a_failure() -> None:
    server = metrics("gggggg")
    here, run = source(server), polling()
    for tenth in range(130, 230):
        here.observe(run, at(tenth / 10))
    assert len(server.asked) == 2
    server.asked.clear()
    server.problem = OUTAGE
    for tenth in range(230, 420):
        here.observe(run, at(tenth / 10))
    assert len(server.asked) == 2, "at its time, and five seconds later"


def test_a_look_waits_for_nobody_and_hears_the_answer_later() -> None:
    server, run = metrics("ggg"), polling()
    server.may_answer = threading.Event()
    here = PolledEvidence(server, workers=Threads(), wait_s=0.01)
    assert polls(here, run, 33) == "--"
    assert "Prometheus: has not answered for more than 10 s" in told(here, run, 44)
    server.may_answer.set()
    assert here.finish(30)
    assert polls(here, run, 34) == "ggg"


def test_a_defect_is_told_and_leaves_gaps() -> None:
    class Broken(MemoryMetrics):
        def ask(self, askings: object) -> tuple[()]:  # noqa: ARG002 (as its base says)
            raise ZeroDivisionError("a defect")

    found = source(Broken()).observe(polling(), at(45))
    assert [type(problem) for problem in found.problems] == [ZeroDivisionError]
    assert polls(source(Broken()), polling(), 45) == "---"


def test_without_an_address_every_poll_is_a_gap_and_it_is_said() -> None:
    here = source(None)
    assert polls(here, polling(), 45) == "---"
    assert "churn-v2: no address of Prometheus is set here, and it polls one for gpu" in told(
        here, polling(), 45
    )
    assert why(here, 73) == "Prometheus: no address of Prometheus is set here, and it polls one for gpu"
    assert told(here, running(), 45) == "", "who polls nothing needs none"


def test_each_active_candidate_has_its_own_question() -> None:
    server = metrics("ggg")
    other = 'gpu{version="2.1\\"\\\\"}'
    server.values[other] = metrics("bbb", other).values[other]
    here, run = source(server), running(METRIC, candidates=TWO)
    assert [polls(here, run, 33, arm) for arm in (1, 2)] == ["ggg", "bbb"]
    server.asked.clear()
    stopped = replace(run, stopped={1: run.started_us})
    assert [polls(here, stopped, 33, arm) for arm in (1, 2)] == ["", "bbb"]
    assert {asking.query for asking in server.asked} == {other}


def test_a_watch_has_polls_of_its_own_and_limits_only() -> None:
    server = metrics("bbbbbbbbb")
    server.values[QUERY] |= {START_S + 65.0: 0.5, START_S + 75.0: 0.5}
    here = source(server)
    observed = replace(METRIC, name="seen", role=Role.OBSERVE)
    run = running(METRIC, observed)
    assert set(here.observe(run, at(53)).evidence.arms[0].polls) == {"gpu", "seen"}
    watch = watching(run, 55)
    assert watch.phase is Phase.WATCHING
    assert polls(here, watch, 57) == ""
    assert polls(here, watch, 78) == "gg"
    assert set(here.observe(watch, at(78)).evidence.arms[0].polls) == {"gpu"}


def test_another_revision_asks_anew() -> None:
    server = metrics("ggg")
    here, run = source(server), polling()
    assert polls(here, run, 33) == "ggg"
    server.problem = OUTAGE
    assert polls(here, replace(run, revision=2), 45) == "---"


@given(
    values=st.text("gb-", min_size=1, max_size=30),
    looks=st.lists(st.integers(0, 3_300), min_size=1, max_size=12),
    outages=st.lists(st.booleans(), min_size=12, max_size=12),
    limit=st.integers(1, 4),
)
def test_whoever_began_when_finds_the_same_once_the_server_answers(
    values: str, looks: list[int], outages: list[bool], limit: int
) -> None:
    server, run = metrics(values), polling(failure_limit=limit)
    old = source(server)
    for tenth, is_out in zip(sorted(looks), outages, strict=False):
        server.problem = OUTAGE if is_out else None
        polls(old, run, tenth / 10)
    server.problem = None
    last_s = max(looks) / 10 + 6
    due = max(int((last_s - 2.5) // INTERVAL_S), 0)
    expected = (values + "-" * due)[:due][-4 * limit :]
    assert polls(old, run, last_s) == polls(source(server), run, last_s) == expected


def test_the_query_is_told_as_it_was_asked() -> None:
    server = metrics("gg")
    (query,) = source(server).observe(running(METRIC), at(INTERVAL_S * 2 + 10)).queries
    (asked,) = server.asked
    assert (query.metric, query.arm, query.text) == (METRIC.name, 1, QUERY)
    assert (query.first_ms, query.last_ms) == (asked.times[0], asked.times[-1])
    assert source(None).observe(running(), at(1)).queries == ()
