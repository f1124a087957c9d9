"""Runs that go well for a while and then do not, each in a house that stays open until its weight is zero."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.harm import house as houses
from bench.harm import servers as models
from bench.harm.checkers import Stream, found_by
from bench.harm.house import CANDIDATE, House
from bench.harm.load import USERS, Load, Sent
from bench.harm.past import WEEK_S, Past, until_now, week
from bench.harm.servers import QUIET_SHARE, Failures, Servers
from bench.harm.settings import BAD_SHARE, PER_SECOND, Plan, policy_of, policy_text
from bench.harm.timing import Course, HarmTest, passed_at
from rollout.client.answers import EntryAnswer
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.domain.assignment import Placement, Split, assign, route_name
from rollout.domain.policy import Policy

LIVE_WITHIN_S: Final = 30.0
ZERO_WITHIN_S: Final = 120.0
AFTERWARDS_S: Final = 1.5
"""How long a run is watched after its end: no request may reach the candidate any more."""
BEFORE_S: Final = 120.0
"""So much of an old run's past is in what threshold checkers look at."""
SECOND_US: Final = 1_000_000


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
        yield from (_old if plan.setting.is_old else _fresh)(plan, folder, servers)


def _fresh(plan: Plan, folder: Path, servers: Servers) -> Iterator[Course]:
    """Start one run after the other in one house."""
    with _open(folder, servers) as stage:
        for number in range(1, plan.runs + 1):
            name = f"harm-{number}"
            text = _text(plan, name, servers)
            servers.fail(QUIET_SHARE)
            started = stage.control.start(text.encode(), file=name).experiment
            started_us = round(started.started_at.timestamp() * SECOND_US)
            yield _run(stage, policy_of(text), started_us, plan.quiet_before(number))


def _old(plan: Plan, folder: Path, servers: Servers) -> Iterator[Course]:
    """Write a quiet week once; then open a copy of its house for each run, brought up to that moment."""
    text = _text(plan, "harm", servers)
    policy, template = policy_of(text), folder / "template"
    ends_us = time.time_ns() // 1000
    started_us = ends_us - WEEK_S * SECOND_US
    with Past(template, policy) as writing:
        writing.begin(text, started_us)
        requests = writing.fill(week(ends_us, PER_SECOND))
    print(f"  a quiet week is filed and counted: {requests:,} requests", flush=True)
    for number in range(1, plan.runs + 1):
        home = folder / str(number)
        shutil.copytree(template, home / "house")
        with Past(home / "house", policy) as writing:
            writing.fill(until_now(ends_us, time.time_ns() // 1000, PER_SECOND))
        servers.fail(QUIET_SHARE)
        with _open(home, servers, seed=number) as stage:
            yield _run(stage, policy, started_us, plan.quiet_before(number))
        shutil.rmtree(home, ignore_errors=True)


def _text(plan: Plan, name: str, servers: Servers) -> str:
    urls = {"baseline": servers.baseline_url, "candidate": servers.candidate_url}
    return policy_text(name, plan.setting, **urls)


@contextmanager
def _open(home: Path, servers: Servers, *, seed: int = 0) -> Iterator[Stage]:
    """Open the house of a folder, with users who are ready to come."""
    with ExitStack() as held:
        house = held.enter_context(houses.open_house(home))
        load = held.enter_context(Load(house.proxy_port, PER_SECOND, seed))
        url = f"http://127.0.0.1:{house.control_port}"
        control = held.enter_context(ControlPlane(Connection(url, token=house.token)))
        yield Stage(house, servers, load, control)


def _run(stage: Stage, policy: Policy, started_us: int, quiet_s: float) -> Course:
    """Let a run be quiet, break its candidate, and watch until nobody gets it any more."""
    name, servers = policy.name, stage.servers
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
    seen = Seen(started_us, decided, acknowledged_s, sent, servers.failures())
    if acknowledged_s < seen.failures.told_at_s:
        raise SystemExit(f"bench: {name} was rolled back while all was well: {decided.sentence}")
    return _course(stage.house, policy, seen)


def _course(house: House, policy: Policy, seen: Seen) -> Course:
    """Put together what the witnesses say."""
    sent, failed_at_s = seen.sent, seen.failures.failed_at_s
    until_s = time.time()
    answered, started, late, failed = sent.answered, sent.started, sent.late, sent.failed
    errors = house.errors(policy.name, since_s=seen.started_us / SECOND_US)
    test = HarmTest.of(policy, seen.started_us)
    last = passed_at(errors, test, since_us=round(seen.failures.told_at_s * SECOND_US))
    if last is None or seen.decided.metric != "errors":
        raise SystemExit(f"bench: {policy.name} was rolled back for something else: {seen.decided.metric}")
    last_served_s = max(sent.to_candidate_s)
    rate = len(sent.to_candidate_s) / (last_served_s - sent.began_s)
    recorded = house.responses(policy.name, CANDIDATE, since_s=sent.began_s - BEFORE_S)
    stream = Stream.of(recorded, per_second=rate, bad_share=BAD_SHARE)
    filed_s = house.filed_s(policy.name, int(errors.began_us[last]), since_s=seen.failures.told_at_s)
    return Course(
        first_bad_s=failed_at_s[0],
        passed_s=float(errors.over_us[last]) / SECOND_US,
        filed_s=filed_s,
        looked_s=seen.decided.at.timestamp(),
        acknowledged_s=seen.acknowledged_s,
        zero_s=min(at_s for at_s in sent.kept_from_it_s if at_s > last_served_s),
        bad=len(failed_at_s),
        requests_per_s=answered / (until_s - sent.began_s),
        late_share=late / started,
        user_failures=failed,
        by_checkers=found_by(stream, failed_at_s[0]),
    )


def _own_users(policy: Policy) -> frozenset[int]:
    """Return the users whom the first step gives to the candidate."""
    placement, route = Placement(policy, 1, Split(steps_on=1)), route_name(policy, CANDIDATE, 1)
    return frozenset(user for user in range(USERS) if assign(placement, Load.name(user)) == route)
