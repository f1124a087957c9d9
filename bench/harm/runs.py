"""Runs that go well for a while and then do not: each is a new experiment in one house that stays open."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.harm import house as houses
from bench.harm import servers as models
from bench.harm.house import CANDIDATE, House
from bench.harm.load import USERS, Load, Sent
from bench.harm.servers import QUIET_SHARE, Failures, Servers
from bench.harm.timing import Course, HarmTest, passed_at
from rollout.client.answers import EntryAnswer
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.domain.assignment import Placement, Split, assign, route_name
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.policyfile.reading import read_bytes
from rollout.stats.starts import EVERY_S

GOLDEN_RATIO: Final = 0.618034
"""Its multiples fill an interval evenly, however many there are."""
PER_SECOND: Final = 500.0
RUNS: Final = 20
QUIET_S: Final = 10.0
BAD_SHARE: Final = 0.2
LIVE_WITHIN_S: Final = 30.0
ZERO_WITHIN_S: Final = 60.0
AFTERWARDS_S: Final = 1.5
"""How long a run is watched after its end: no request may reach the candidate any more."""


_POLICY: Final = """\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {name}, owner: bench}}
spec:
  route: {{path: /{name}}}
  baseline: {{version: "1.4.2", url: "{baseline}"}}
  candidate: {{version: "2.0.0", url: "{candidate}"}}
  assignment: {{unit: "header:x-user-id", salt: {name}}}
  resilience: {{timeout: 3s, perTryTimeout: 300ms, fallback: baseline, maxFallback: 2%}}
  expect: {{requests: 500/s, converted: 12%, errors: 1%}}
  metrics:
    - {{name: converted, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 5%, window: 24h}}
    - {{name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 0.1%}}
    - {{name: p95, role: slo, source: proxy, type: latency, quantile: 0.95, max: 250ms}}
  risk: {{wrongPromotion: 5%, wrongRollback: 1%}}
  steps:
    - {{setWeight: 5%, hold: {{for: 1h, minUnits: 500}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 14d}}}}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 30m, then: pause}}}}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and after how many quiet seconds at least a candidate begins to fail."""

    runs: int
    quiet_s: float

    def quiet_before(self, number: int) -> float:
        """Return the quiet seconds of a run: up to ten more, because the tests start anew every ten."""
        return self.quiet_s + EVERY_S * (number * GOLDEN_RATIO % 1.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the witnesses of one run say: the control plane, the node's journal, users and candidate."""

    started_us: int
    decided: EntryAnswer
    acknowledged_s: float
    sent: Sent
    failures: Failures


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that a run needs."""

    house: House
    servers: Servers
    load: Load
    control: ControlPlane


def courses(plan: Plan) -> Generator[Course]:
    """Yield run after run; nothing is left when the iteration ends or is closed."""
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="rollout-", ignore_cleanup_errors=True)))
        servers = held.enter_context(models.serving())
        house = held.enter_context(houses.open_house(folder))
        load = held.enter_context(Load(house.proxy_port, PER_SECOND))
        url = f"http://127.0.0.1:{house.control_port}"
        control = held.enter_context(ControlPlane(Connection(url, token=house.token)))
        stage = Stage(house, servers, load, control)
        for number in range(1, plan.runs + 1):
            yield _run(stage, f"harm-{number}", plan.quiet_before(number))


def policy_text(name: str, servers: Servers) -> str:
    """Return the policy of one run."""
    return _POLICY.format(name=name, baseline=servers.baseline_url, candidate=servers.candidate_url)


def _run(stage: Stage, name: str, quiet_s: float) -> Course:
    """Start an experiment, let it be quiet, break its candidate, and watch until nobody gets it any more."""
    servers = stage.servers
    text = policy_text(name, servers)
    policy = read_bytes(text.encode(), name).policy
    if policy is None:
        raise SystemExit("bench: its own policy is wrong")
    servers.fail(QUIET_SHARE)
    started = stage.control.start(text.encode(), file=name).experiment
    if stage.house.acknowledged_s(name, 1, within_s=LIVE_WITHIN_S) is None:
        raise SystemExit(f"bench: {name} does not become live")
    sent = stage.load.turn_to(policy.path, _own_users(policy))
    time.sleep(quiet_s)
    servers.fail(BAD_SHARE)
    acknowledged_s = stage.house.acknowledged_s(name, 0, within_s=ZERO_WITHIN_S)
    if acknowledged_s is None:
        raise SystemExit(f"bench: {name} was not rolled back within {ZERO_WITHIN_S:g} s")
    time.sleep(AFTERWARDS_S)
    decided = next(one for one in stage.control.history(name) if one.action == "roll-back")
    started_us = round(started.started_at.timestamp() * 1e6)
    seen = Seen(started_us, decided, acknowledged_s, sent, servers.failures())
    if acknowledged_s < seen.failures.told_at_s:
        raise SystemExit(f"bench: {name} was rolled back while all was well: {decided.sentence}")
    return _course(stage.house, policy, seen)


def _course(house: House, policy: Policy, seen: Seen) -> Course:
    """Put together what the witnesses say."""
    sent, failed_at_s = seen.sent, seen.failures.failed_at_s
    until_s = time.time()
    answered, started, late, failed = sent.answered, sent.started, sent.late, sent.failed
    test = HarmTest.of(
        started_us=seen.started_us,
        weight=policy.steps[0].weight_bp / WHOLE_BP,
        margin=next(metric.margin or 0.0 for metric in policy.metrics if metric.name == "errors"),
        wrong_rollback=policy.risk.wrong_rollback,
        metrics=len(policy.metrics),
    )
    errors, filed_s = house.errors(policy.name, since_s=seen.started_us / 1e6)
    last = passed_at(errors, test, since_us=round(seen.failures.told_at_s * 1e6))
    if last is None or seen.decided.metric != "errors":
        raise SystemExit(f"bench: {policy.name} was rolled back for something else: {seen.decided.metric}")
    last_served_s = max(sent.to_candidate_s)
    return Course(
        first_bad_s=failed_at_s[0],
        passed_s=float(errors.over_us[last]) / 1e6,
        filed_s=filed_s[last],
        looked_s=seen.decided.at.timestamp(),
        acknowledged_s=seen.acknowledged_s,
        zero_s=min(at_s for at_s in sent.kept_from_it_s if at_s > last_served_s),
        bad=len(failed_at_s),
        requests_per_s=answered / (until_s - sent.began_s),
        late_share=late / started,
        user_failures=failed,
    )


def _own_users(policy: Policy) -> frozenset[int]:
    """Return the users whom the first step gives to the candidate."""
    placement, route = Placement(policy, 1, Split(steps_on=1)), route_name(policy, CANDIDATE, 1)
    return frozenset(user for user in range(USERS) if assign(placement, Load.name(user)) == route)
