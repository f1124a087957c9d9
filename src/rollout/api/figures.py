"""Figures that are looked up when somebody asks for them: runs, nodes, records, notifications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rollout.api.loop_figures import loop_families
from rollout.api.record_figures import SpoolFigure, intake_families, lost_families, spool_families
from rollout.controller.figures import Figures
from rollout.domain.experiment import Experiment, Phase
from rollout.intake.figures import Taken

_log = structlog.get_logger(part="metrics")


@dataclass(frozen=True, slots=True)
class NodeFigure:
    """How one node stands."""

    name: str
    is_live: bool
    is_silent: bool
    heard_s: float | None
    """How long ago it was heard."""


@dataclass(frozen=True, slots=True)
class FeedFigure:
    """How far one source of records is."""

    node: str
    kind: str
    lag_s: float | None
    bad_lines: int


@dataclass(frozen=True, slots=True)
class ReceiverFigure:
    """How one receiver of notifications fares."""

    name: str
    waiting: int
    failures: int
    sent: int
    gave_up: int


@dataclass(frozen=True, slots=True)
class Sources:
    """What is looked up when somebody asks; each by itself may fail, and the others are still told."""

    runs: Callable[[], Iterable[Experiment]] = tuple
    nodes: Callable[[], Iterable[NodeFigure]] = tuple
    feeds: Callable[[], Iterable[FeedFigure]] = tuple
    receivers: Callable[[], Iterable[ReceiverFigure]] = tuple
    spool: Callable[[], SpoolFigure | None] = lambda: None
    intake: Callable[[], Iterable[Taken]] = tuple
    lost: Callable[[], Mapping[tuple[str, str], int]] = dict
    loop: Callable[[], Figures | None] = lambda: None


class Looked(Collector):
    """Looks its figures up when it is asked."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """Yield every family; one whose source fails is left out, and said to be."""
        unread = 0
        looks = (
            self._loop,
            self._runs,
            self._nodes,
            self._feeds,
            self._receivers,
            self._intake,
            self._lost,
            self._spool,
        )
        for look in looks:
            try:
                yield from look()
            except Exception as error:  # noqa: BLE001 (a source that is away takes no other with it)
                unread += 1
                _log.warning("a part of the metrics cannot be read", exc_info=error)
        yield _family(
            "unread_sources", "Sources of figures that could not be read just now.", [], [((), unread)]
        )

    def _loop(self) -> Sequence[Metric]:
        found = self._sources.loop()
        return () if found is None else loop_families(found)

    def _runs(self) -> list[Metric]:
        runs = list(self._sources.runs())
        tally = Counter(run.phase for run in runs)
        by_phase = [((phase.value,), tally[phase]) for phase in Phase]
        return [
            _family("runs", "Runs by phase.", ["phase"], by_phase),
            _family(
                "run_step",
                "The present step of each run; counts from 1.",
                ["policy"],
                [((run.policy.name,), run.step + 1) for run in runs],
            ),
        ]

    def _nodes(self) -> list[Metric]:
        nodes = list(self._sources.nodes())
        states = Counter(
            "silent" if node.is_silent else "live" if node.is_live else "behind" for node in nodes
        )
        heard = [((node.name,), node.heard_s) for node in nodes if node.heard_s is not None]
        return [
            _family(
                "nodes",
                "Nodes: live serve what is wanted, behind do not yet, silent are cut off.",
                ["state"],
                [((state,), states[state]) for state in ("live", "behind", "silent")],
            ),
            _family("node_heard_seconds", "How long ago each node was heard.", ["node"], heard),
        ]

    def _feeds(self) -> list[Metric]:
        feeds = list(self._sources.feeds())
        lags = [((feed.node, feed.kind), feed.lag_s) for feed in feeds if feed.lag_s is not None]
        bad = [((feed.node, feed.kind), feed.bad_lines) for feed in feeds]
        labels = ["node", "kind"]
        return [
            _family("intake_lag_seconds", "How far each source's filed records lie behind.", labels, lags),
            _family("intake_bad_lines", "Lines of each source that could not be read.", labels, bad),
        ]

    def _receivers(self) -> list[Metric]:
        found = list(self._sources.receivers())
        states = [
            ((one.name, state), getattr(one, state))
            for one in found
            for state in ("waiting", "sent", "gave_up")
        ]
        failing = [((one.name,), one.failures) for one in found]
        return [
            _family("notifications", "Notifications that are kept.", ["receiver", "state"], states),
            _family("notification_failures", "Sendings in a row that failed.", ["receiver"], failing),
        ]

    def _intake(self) -> Sequence[Metric]:
        return intake_families(self._sources.intake())

    def _lost(self) -> Sequence[Metric]:
        return lost_families(self._sources.lost())

    def _spool(self) -> Sequence[Metric]:
        found = self._sources.spool()
        return () if found is None else spool_families(found)


def _family(
    name: str, meaning: str, labels: Sequence[str], samples: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"rollout_{name}", meaning, labels=labels)
    for values, sample in samples:
        family.add_metric(values, float(sample))
    return family
