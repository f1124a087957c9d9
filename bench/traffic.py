"""What many policies cost: publishing them, a step of one of them, its requests, memory and files."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.prober import Prober
from bench.processor import used_s
from bench.proxy import load, upstream
from bench.rows import table as as_table
from rollout.domain.assignment import Placement, Split
from rollout.domain.policy import Policy
from rollout.envoy.document import Document, Kind
from rollout.envoy.files import ConfigurationFiles
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged, Refused
from rollout.envoy.translate import translate
from rollout.envoy.weights import weights
from tests.envoy.examples import policy_for, running

SIZES: Final = (1, 10, 100, 1_000)
GOAL_MS: Final = 20.0
"""From the call that publishes a step until a request follows it, with the most policies."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many policies, and how often everything is repeated."""

    sizes: Sequence[int] = SIZES
    changes: int = 40
    updates: int = 5
    rounds: int = 9
    burst_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """Medians with so many policies; `last` and `all` are requests to the last path, and to all in turn."""

    policies: int
    translated_ms: float
    first_ms: float
    update_ms: float
    step_cpu_ms: float
    acknowledged_ms: float
    effect_ms: float
    renamed_ms: float
    last: float
    all: float
    memory_mb: float
    routes_kb: float
    weights_kb: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A running proxy with its policies, each of which has all its steps on."""

    proxy: Proxy
    port: int
    folder: Path
    placements: Sequence[Placement]

    @property
    def paths(self) -> list[str]:
        """Where requests go, the last policy's last."""
        return [placement.policy.path for placement in self.placements]

    def used_us(self, paths: Sequence[str], seconds: float) -> float:
        """Return the processor time of one request to these paths."""
        pids = (self.proxy.pid or 0,)
        before_s = used_s(pids)
        found = load.burst(self.port, paths, seconds)
        if found.failed:
            raise RuntimeError(f"bench: {found.failed} of {found.requests} requests failed")
        return (used_s(pids) - before_s) / found.requests * 1e6


def table(plan: Plan) -> list[Row]:
    """Measure in one run, one Envoy for each size; requests in turn with those of the smallest."""
    with TemporaryDirectory(prefix="rollout-") as folder, ExitStack() as held:
        models = held.enter_context(upstream.serving(Path(folder) / "models"))
        policy = policy_for(*(f"http://127.0.0.1:{model}" for model in models))
        smallest, _ = held.enter_context(_stage(Path(folder) / "one", policy, plan.sizes[0]))
        return [_row(Path(folder) / str(size), policy, size, smallest, plan) for size in plan.sizes]


def _row(folder: Path, policy: Policy, size: int, smallest: Stage, plan: Plan) -> Row:
    with _stage(folder, policy, size) as (stage, first_s):
        last, spread = _requests(stage, smallest, plan)
        update_s = [_update(stage, number) for number in range(plan.updates)]
        cpu_s, acknowledged_s, effect_s, renamed_s = _steps(stage, plan.changes)
        return Row(
            policies=size,
            translated_ms=_best_ms(lambda: translate(stage.placements)),
            first_ms=1000 * first_s,
            update_ms=1000 * statistics.median(update_s),
            step_cpu_ms=1000 * cpu_s,
            acknowledged_ms=1000 * acknowledged_s,
            effect_ms=1000 * effect_s,
            renamed_ms=1000 * renamed_s,
            last=last,
            all=spread,
            memory_mb=_memory_mb(stage.proxy.pid or 0),
            routes_kb=(folder / Kind.ROUTES.file_name).stat().st_size / 1000,
            weights_kb=(folder / Kind.WEIGHTS.file_name).stat().st_size / 1000,
        )


@contextmanager
def _stage(folder: Path, policy: Policy, size: int) -> Iterator[tuple[Stage, float]]:
    policies = [replace(policy, name=f"model{n}", path=f"/model{n}", salt=str(n)) for n in range(size)]
    placements = [Placement(one, 1, Split(steps_on=len(one.steps))) for one in policies]
    with running(folder) as (proxy, port):
        first_s = _publish(proxy, placements)
        yield Stage(proxy, port, folder, placements), first_s


def _requests(stage: Stage, smallest: Stage, plan: Plan) -> tuple[float, float]:
    """Return how much more than with one policy a request to the last path takes, and one to any in turn."""
    last, spread = [], []
    for _ in range(plan.rounds):
        one_us = smallest.used_us(smallest.paths[-1:], plan.burst_s)
        last.append(stage.used_us(stage.paths[-1:], plan.burst_s) / one_us)
        spread.append(stage.used_us(stage.paths, plan.burst_s) / one_us)
    return statistics.median(last), statistics.median(spread)


def _update(stage: Stage, number: int) -> float:
    """Publish another revision of the first policy, and return how long that took."""
    others = stage.placements[1:]
    return _publish(stage.proxy, [replace(stage.placements[0], revision=2 + number), *others])


def _steps(stage: Stage, changes: int) -> tuple[float, float, float, float]:
    """Switch the last policy to and fro; return our processor time, and when it was acknowledged and seen."""
    *others, last = stage.placements
    kept = [replace(stage.placements[0], revision=1), *others[1:]] if others else []
    changed = {
        True: [*kept, replace(last, split=Split(is_promoted=True))],
        False: [*kept, replace(last, split=Split())],
    }
    _publish(stage.proxy, changed[False])
    files = ConfigurationFiles(stage.folder)
    documents = {wanted: weights(placements) for wanted, placements in changed.items()}
    gc.collect()
    used, acknowledged, effects = [], [], []
    with Prober(stage.port, last.policy.path) as prober:
        prober.seen_at(is_candidate=False)
        for number in range(changes):
            is_candidate = number % 2 == 0
            start_s, cpu_s = time.monotonic(), time.thread_time()
            acknowledged.append(_publish(stage.proxy, changed[is_candidate]))
            used.append(time.thread_time() - cpu_s)
            effects.append(prober.seen_at(is_candidate=is_candidate) - start_s)
        renamed = [
            _renamed(files, documents[number % 2 == 0], prober, is_candidate=number % 2 == 0)
            for number in range(changes)
        ]
    median = statistics.median
    return median(used), median(acknowledged), median(effects), median(renamed)


def _renamed(files: ConfigurationFiles, document: Document, prober: Prober, *, is_candidate: bool) -> float:
    """Give Envoy a file past the publisher, and return the seconds until a request follows."""
    files.write(document)
    start_s = time.monotonic()
    return prober.seen_at(is_candidate=is_candidate) - start_s


def _publish(proxy: Proxy, placements: Sequence[Placement]) -> float:
    start = time.monotonic()
    result = proxy.publish(placements)
    took_s = time.monotonic() - start
    match result:
        case Refused(reason):
            raise RuntimeError(reason)
        case Acknowledged():
            return took_s


def _best_ms(call: Callable[[], object]) -> float:
    found = []
    for _ in range(3):
        start_s = time.process_time()
        call()
        found.append(time.process_time() - start_s)
    return 1000 * min(found)


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the tables, each figure of a change beside its ratio to one policy."""
    most = rows[-1]
    verdict = "met" if most.effect_ms <= GOAL_MS else "**missed**"
    changes = ("policies", "all at once", "one more revision", "a step acknowledged", "seen by a request")
    costs = ("policies", "CPU: last path", "all paths in turn", "our CPU: all files", "a step")
    return [
        f"With {most.policies:,} policies a request follows a step {most.effect_ms:.1f} ms after the call;",
        f"the goal of at most {GOAL_MS:.0f} ms is {verdict}.",
        "",
        *as_table((*changes, "seen, from the file's rename"), [_changes(row, rows[0]) for row in rows]),
        "",
        *as_table((*costs, "Envoy's memory", "routes", "weights"), [_costs(row) for row in rows]),
    ]


def _changes(row: Row, first: Row) -> list[str]:
    return [
        f"{row.policies:,}",
        _timed(row.first_ms, first.first_ms),
        _timed(row.update_ms, first.update_ms),
        _timed(row.acknowledged_ms, first.acknowledged_ms),
        _timed(row.effect_ms, first.effect_ms),
        _timed(row.renamed_ms, first.renamed_ms),
    ]


def _costs(row: Row) -> list[str]:
    return [
        f"{row.policies:,}",
        f"{row.last:.2f}",
        f"{row.all:.2f}",
        f"{row.translated_ms:.1f} ms",
        f"{row.step_cpu_ms:.1f} ms",
        f"{row.memory_mb:.0f} MB",
        f"{row.routes_kb:,.0f} kB",
        f"{row.weights_kb:.1f} kB",
    ]


def _timed(milliseconds: float, of_one: float) -> str:
    digits = 0 if milliseconds >= 100 else 1
    return f"{milliseconds:,.{digits}f} ms ({milliseconds / of_one:.1f})"
