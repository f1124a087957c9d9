"""A version that fails is seen to, under its own cause: Envoy's counters, over all of its lives."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.domain.assignment import CONTROL
from rollout.domain.policy import Resilience
from rollout.envoy.degradation import Cause, Fared, Lives, degraded, read
from rollout.envoy.publication import Acknowledged
from rollout.fleet.degradation import CAUSES
from tests.command import ROOT
from tests.envoy.examples import placed, policy_for, running, until
from tests.envoy.failing import failing
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

REQUESTS = [Request("/churn", {"x-user-id": f"user-{number}"}) for number in range(40)]
CANDIDATE = ("churn-v2", 1, "candidate1")


@contextmanager
def broken(how: str) -> Iterator[str]:
    """Serve a candidate that fails in one way."""
    status = int(how) if how.isdigit() else 200
    if how in {"reset", "close", "nonsense"}:
        with failing(how) as url:
            yield url
        return
    with serving("candidate1", status=status, delay_s=5.0 if how == "slow" else 0.0) as candidate:
        if how == "killed":
            candidate.process.kill()
            candidate.process.wait()
        yield candidate.url


@pytest.mark.parametrize(
    ("how", "cause", "ejects"),
    [
        ("500", Cause.ERROR, True),
        ("429", Cause.REFUSED_LOAD, False),
        ("slow", Cause.SLOW, True),
        ("killed", Cause.NO_CONNECTION, True),
        ("reset", Cause.RESET, True),
        ("close", Cause.RESET, True),
        ("nonsense", Cause.NONSENSE, True),
    ],
)
def test_each_failure_of_a_real_candidate_has_its_own_cause(
    how: str, cause: Cause, *, ejects: bool, tmp_path: Path
) -> None:
    resilience = Resilience(timeout_s=0.8, per_try_timeout_s=0.3)
    with serving(CONTROL) as baseline, broken(how) as candidate, running(tmp_path) as (proxy, port):
        policy = replace(policy_for(baseline.url, candidate), resilience=resilience)
        assert isinstance(proxy.publish([placed(policy, 3)]), Acknowledged)
        before = proxy.degradation()
        assert before is not None
        assert list(degraded(before)) == []
        answers = send(port, REQUESTS)
        assigned = sum(answer.variant == "candidate1" for answer in answers)
        assert until(lambda: bool((proxy.degradation() or {})[CANDIDATE].failures))
        found = dict(degraded(proxy.degradation() or {}))
    assert {answer.code for answer in answers} == {200}
    assert found.keys() == {CANDIDATE}
    fared = found[CANDIDATE]
    assert fared.failures == {cause: assigned}
    assert (fared.hosts, fared.healthy_hosts, fared.ejections) == (1, 0 if ejects else 1, int(ejects))
    assert fared.open_breakers == ()


def test_a_host_that_fails_its_health_check_is_out_before_any_request(tmp_path: Path) -> None:
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", status=503) as candidate,
        running(tmp_path) as (proxy, port),
    ):
        policy = policy_for(baseline.url, candidate.url)
        asked = tuple(replace(one, health_check="/healthz") for one in policy.candidates)
        assert isinstance(proxy.publish([placed(replace(policy, candidates=asked), 3)]), Acknowledged)
        assert until(lambda: bool(dict(degraded(proxy.degradation() or {}))))
        (found,) = dict(degraded(proxy.degradation() or {})).items()
        answers = send(port, REQUESTS)
    assert found == (CANDIDATE, Fared(hosts=1, healthy_hosts=0))
    assert {answer.code for answer in answers} == {200}


def test_every_cause_has_words_and_a_line_in_the_documentation() -> None:
    page = (ROOT / "docs" / "data-plane.md").read_text(encoding="utf-8")
    assert {cause.value for cause in Cause} == set(CAUSES)
    assert all(f"\n| `{cause}` | " in page for cause in Cause)


def test_an_envoy_s_new_life_counts_on(tmp_path: Path) -> None:
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", status=500) as candidate,
        running(tmp_path) as (proxy, port),
    ):
        assert isinstance(proxy.publish([placed(policy_for(baseline.url, candidate.url), 3)]), Acknowledged)
        send(port, REQUESTS)
        first = (proxy.degradation() or {})[CANDIDATE].failures[Cause.ERROR]
        assert proxy.pid is not None
        life = proxy.starts
        kill(proxy.pid)
        assert until(lambda: proxy.starts > life and bool(proxy.degradation()), limit_s=30.0)
        send(port, REQUESTS)
        assert (proxy.degradation() or {})[CANDIDATE].failures[Cause.ERROR] == 2 * first


def kill(pid: int) -> None:
    """End Envoy without a word."""
    os.kill(pid, signal.SIGKILL)


def test_names_with_dots_are_read_whole_and_other_lines_are_passed_over() -> None:
    text = (
        "cluster.a.b-1.2/12/candidate2.upstream_rq_per_try_timeout: 3\n"
        "cluster.a.b-1.2/12/candidate2.upstream_cx_connect_timeout: 2\n"
        "cluster.a.b-1.2/12/candidate2.upstream_rq_pending_failure_eject: 5\n"
        "cluster.a.b-1.2/12/candidate2.upstream_rq_total: 9\n"
        "cluster.a.b-1.2/12/candidate2.membership_total: 3\n"
        "cluster.a.b-1.2/12/candidate2.membership_healthy: 2\n"
        "cluster.a.b-1.2/12/candidate2.circuit_breakers.default.rq_open: 1\n"
        "cluster.a.b-1.2/12/control.membership_total: 1\n"
        "cluster.a.b-1.2/12/control.membership_healthy: 1\n"
        "cluster_manager.cluster_added: 4\n"
        "cluster.unnamed.upstream_rq_timeout: 4\n"
    )
    found = read(text)
    assert dict(degraded(found)) == {
        ("a.b-1.2", 12, "candidate2"): Fared(
            {Cause.SLOW: 3, Cause.NO_CONNECTION: 3, Cause.CONNECT_TIMEOUT: 2}, 0, 3, 2, ("requests",)
        )
    }
    assert found.keys() == {("a.b-1.2", 12, "candidate2"), ("a.b-1.2", 12, "control")}


def test_lives_add_up_and_an_arm_that_is_gone_is_forgotten() -> None:
    lives, gone = Lives(), ("gone", 1, "control")
    one = Fared({Cause.ERROR: 5}, 1, 1, 0)
    assert lives.add(1, {CANDIDATE: one, gone: one}) == {CANDIDATE: one, gone: one}
    begun = lives.add(2, {CANDIDATE: Fared(hosts=1, healthy_hosts=1)})
    assert begun == {CANDIDATE: Fared({Cause.ERROR: 5}, 1, 1, 1)}
    later = lives.add(2, {CANDIDATE: Fared({Cause.ERROR: 2, Cause.SLOW: 1}, 0, 1, 1), gone: Fared()})
    assert later[CANDIDATE].failures == {Cause.ERROR: 7, Cause.SLOW: 1}
    assert later[gone] == Fared()
