"""A house that is killed in the middle goes on as if nothing had been: Envoy, lake, ledger and actions."""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from rollout.controller.reconcile import Point
from rollout.domain.assignment import CONTROL, Leaf
from rollout.domain.records import Run
from rollout.errors import RolloutError
from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.lake.segments import Kind
from rollout.lake.units import UnitHash
from rollout.policyfile.digest import digest
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.e2e.crowd import Crowd, Manner
from tests.e2e.lives import Address, Lives, await_true
from tests.e2e.memory import Memory
from tests.e2e.models import free_port, model
from tests.lake.cold import Closing, Lake
from tests.replaying import assert_all_agree

WITHIN_S = 240.0
GOOD, BAD = "churn", "fraud"
CROWDS = {
    GOOD: Manner("/churn", "x-user-id", "converted", {"control": 0.2, "candidate1": 0.5}),
    BAD: Manner("/fraud", "x-user-id", "caught", {"control": 0.3, "candidate1": 0.3}, per_second=80.0),
}
BROKEN = {GOOD: 0.0, BAD: 0.4}
ENDINGS = {
    GOOD: ("promoted", ["GOAL_PROVEN", "PROMOTION_DONE", "WATCH_PASSED"], "promote"),
    BAD: ("rolled-back", ["METRIC_HARMED", "ROLLBACK_DONE"], "rollback"),
}
MOVED = {reason for _, reasons, _ in ENDINGS.values() for reason in reasons}
WINDOW_US, GRACE_US = 3_000_000, 1_000_000
POLICY = """\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {name}, owner: tests}}
spec:
  route: {{path: /{name}}}
  baseline: {{version: "1", url: "{baseline}"}}
  candidate: {{version: "2", url: "{candidate}"}}
  assignment: {{unit: "header:x-user-id"}}
  resilience: {{timeout: 3s, perTryTimeout: 1s, fallback: baseline, maxFallback: 5%}}
  expect: {{{metric}: 20%}}
  metrics:
    - {{name: {metric}, role: primary, source: outcomes, type: binary, direction: increase, minEffect: 50%,
        window: 3s}}
    - {{name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 5%, window: 3s}}
    - {{name: p90, role: slo, source: proxy, type: latency, quantile: 0.9, max: 900ms, window: 3s}}
  steps:
    - {{setWeight: 20%, hold: {{for: 3s, minUnits: 5}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 10m}}}}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 5m, then: pause}}}}
  watch: {{for: 2s}}
  actions:
    promote: {{command: [/bin/sh, -c, 'echo promote $ROLLOUT_POLICY >> {effects}'], deadline: 30s}}
    rollback: {{command: [/bin/sh, -c, 'echo rollback $ROLLOUT_POLICY >> {effects}'], deadline: 30s}}
"""


def phases(address: Address) -> dict[str, str]:
    """Return where the runs stand; nothing while the house is dead."""
    try:
        with address.control() as control:
            return {run.name: run.phase for run in control.experiments()}
    except RolloutError:
        return {}


@pytest.mark.slow
def test_killed_at_every_point_of_a_tick_everything_counts_once(tmp_path: Path) -> None:
    address = Address(tmp_path / "house", free_port(), free_port())
    address.folder.mkdir()
    effects = tmp_path / "effects"
    memories: dict[str, Memory] = {}
    with ExitStack() as held:
        lives = held.enter_context(Lives(address))
        with address.control() as control:
            for name, manner in CROWDS.items():
                text = POLICY.format(
                    name=name,
                    metric=manner.metric,
                    baseline=held.enter_context(model("1")),
                    candidate=held.enter_context(model("2", fails=BROKEN[name])),
                    effects=effects,
                )
                control.start(text.encode(), file=f"{name}.yaml")
        ended = {name: phase for name, (phase, _, _) in ENDINGS.items()}
        with ExitStack() as crowds:
            for name, manner in CROWDS.items():
                crowd = Crowd(manner, address.proxy_port, address.control_url, address.token)
                memories[name] = crowds.enter_context(crowd).memory
            await_true("both runs end as they should", lambda: phases(address) == ended, within_s=WITHIN_S)
        await_true(
            "everything acknowledged is in the lake", lambda: is_filed(address.folder, memories), within_s=60
        )
    assert lives.ends == [-signal.SIGKILL] * len(Point) * len(CROWDS) + [0]
    check_decisions(address.folder / "control.db")
    performed = sorted(f"{action} {name}" for name, (_, _, action) in ENDINGS.items())
    assert sorted(effects.read_text().splitlines()) == performed
    for name, memory in memories.items():
        assert memory.failures == []
        assert len(memory.arms) > 500
        check_requests(address.folder, name, memory)
        check_outcomes(address.folder, name, memory)


def check_decisions(address: Path | str) -> None:
    """Assert that each run moved by each decision once, and that every one follows from what it rests on."""
    database = Database.reader(address)
    ledger = SqlLedger(database, new_uid=lambda: "", digest=digest)
    for run in ledger.runs():
        entries = ledger.history(run.experiment.uid)
        reasons = [entry.decision.reason.name for entry in entries]
        assert [reason for reason in reasons if reason in MOVED] == ENDINGS[run.experiment.policy.name][1]
        assert assert_all_agree(ledger, run.experiment.uid) > 0
    database.close()


def hashing(folder: Path) -> UnitHash:
    return UnitHash(bytes.fromhex((folder / "unit.key").read_text().strip()))


def rows(folder: Path, kind: Kind, columns: str, experiment: str = "") -> list[tuple[object, ...]]:
    """Return columns of every row of the lake, of one experiment where rows name one."""
    files = [str(file) for file in segments.covering(folder / "lake" / kind)]
    found = connect().read_parquet(files)
    return (found.filter(f"experiment = '{experiment}'") if experiment else found).select(columns).fetchall()


def is_filed(folder: Path, memories: dict[str, Memory]) -> bool:
    """Return whether the lake has as many requests as Envoy's log has lines, and every outcome."""
    return is_filed_of(folder, [folder / "envoy" / "access.log"], memories)


def is_filed_of(folder: Path, logs: list[Path], memories: dict[str, Memory]) -> bool:
    """Return the same of several Envoys."""
    lines = sum(log.read_bytes().count(b"\n") for log in logs)
    filed = sum(int(str(requests)) for (requests,) in rows(folder, Kind.EXPOSURES, "requests"))
    told = {key for (key,) in rows(folder, Kind.OUTCOMES, "idem_key")}
    return filed >= lines and len(told) >= sum(len(memory.told) for memory in memories.values())


def check_requests(folder: Path, name: str, memory: Memory) -> None:
    """Assert that every request which Envoy answered is in the lake once.

    Those of `rest` are known by their number only; the proxy answers them as the control's.
    """
    filed = rows(folder, Kind.EXPOSURES, "unit, arm, requests", name)
    key = hashing(folder)
    unsure = {key.unit(unit) for unit in memory.cut_off}
    answered = {key.unit(unit): arm for unit, arm in memory.arms.items()}
    own = Counter(unit for unit, arm, _ in filed if arm != Leaf.REST)
    assert set(own.values()) == {1}
    assert set(own) <= set(answered) | unsure
    assert {unit for unit, arm in answered.items() if arm == "candidate1"} <= set(own)
    for unit, arm, _ in filed:
        if arm in {CONTROL, "candidate1"} and unit in answered:
            assert answered[int(str(unit))] == arm
    total = sum(int(str(requests)) for _, _, requests in filed)
    assert len(answered) <= total <= len(answered) + len(unsure)


def check_outcomes(folder: Path, name: str, memory: Memory) -> None:
    """Assert that every acknowledged outcome is in the lake, and counted once."""
    manner, key = CROWDS[name], hashing(folder)
    told = {key.unit(unit) for unit in memory.told}
    rows_told = rows(folder, Kind.OUTCOMES, "unit, metric")
    assert {unit for unit, metric in rows_told if metric == manner.metric} == told
    analysed = {
        unit
        for unit, block, split in rows(folder, Kind.EXPOSURES, "unit, block, split", name)
        if block is not None and split is not None
    }
    closing = Closing(WINDOW_US, GRACE_US, watermark_us=time.time_ns() // 1_000 + WINDOW_US + GRACE_US)
    counted = Lake(folder / "lake").binary(Run(name, 1), manner.metric, closing)
    assert sum(one.successes for one in counted.values()) == len(told & analysed)
