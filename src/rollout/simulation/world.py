"""The world of many replicates at once: units come, and what a look at each of them would find is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from rollout.domain.evidence import ArmEvidence, Evidence, MirrorEvidence
from rollout.domain.look import Patience
from rollout.domain.metric import Metric, MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.question import FALLBACK, fallback_window_s
from rollout.simulation.crowd import Crowd
from rollout.simulation.levels import Levels, Span, activity, begins_s
from rollout.simulation.outcomes import BinaryTrack, Pooled, ValueTrack
from rollout.simulation.polls import PollTrack
from rollout.simulation.proxy import ErrorTrack, FallbackTrack, LatencyTrack, LimitTrack
from rollout.simulation.scenario import Fault, FaultKind, Scenario
from rollout.simulation.schedule import DAY_S, horizon_s
from rollout.simulation.traffic import Arrivals
from rollout.simulation.values import Values
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

MONDAY_US: Final = 1_736_121_600_000_000
"""A Monday, midnight UTC: every simulation happens in the week, and the weeks, after it."""
PATIENCE: Final = Patience()
_SECOND_US: Final = 1_000_000


def start_us(scenario: Scenario) -> int:
    """Return when a scenario's experiment starts."""
    return MONDAY_US + (scenario.weekday * 86_400 + scenario.minute * 60) * _SECOND_US


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the replicates stand between two looks."""

    steps_on: IntArray
    """How many weight steps are on, [replicate]."""
    mirrored: FloatArray
    """The share of requests that is copied, [replicate]."""
    active: BoolArray
    """Which arms get units, [replicate, arm]; the control always."""
    entered_s: FloatArray
    """When each step began, [replicate, step]; never is infinite."""
    warm_from_s: FloatArray
    """Until when the step's beginning is left out of the proxy's metrics, [replicate]."""


class World:
    """Everything that is drawn for some replicates of one policy in one scenario."""

    def __init__(self, policy: Policy, scenario: Scenario, rng: Generator, replicates: int) -> None:
        self._policy, self._scenario, self._rng = policy, scenario, rng
        self._crowd = Crowd.of(policy.expect, scenario.traffic)
        self._levels = Levels(policy, scenario)
        self._arrivals = Arrivals(policy, scenario, self._crowd, replicates)
        self._day_from_s = scenario.minute * 60.0
        self._now_s = 0.0
        self._filed_s = np.zeros(replicates)
        self._copies = np.zeros((replicates, policy.arms, 2), dtype=np.int64)
        self.exposed = np.zeros((replicates, policy.arms), dtype=np.int64)
        """Units that met a harmful version, [replicate, arm]."""
        self.tried = np.zeros(replicates, dtype=np.int64)
        """Units that met any candidate, [replicate]."""
        self.is_harmful = np.zeros((replicates, policy.arms), dtype=np.bool_)
        """Which versions have been beyond what the policy allows since the last look, [replicate, arm]."""
        self._make_tracks((replicates, len(policy.steps) + 1, policy.arms))

    def _make_tracks(self, shape: tuple[int, int, int]) -> None:
        policy, days = self._policy, int((horizon_s(self._policy) + self._day_from_s) // DAY_S) + 3
        self._binary: dict[str, BinaryTrack] = {}
        self._values: dict[str, ValueTrack] = {}
        self._errors: dict[str, ErrorTrack] = {}
        self._limits: dict[str, LimitTrack] = {}
        self._latencies: dict[str, LatencyTrack] = {}
        self._polls: dict[str, PollTrack] = {}
        for metric in policy.metrics:
            name, closes_s = metric.name, _closes_s(metric.window_s)
            match metric.type:
                case MetricType.BINARY:
                    self._binary[name] = BinaryTrack(shape, closes_s, days)
                case MetricType.MEAN | MetricType.RATIO | MetricType.COUNT:
                    self._values[name] = ValueTrack(Values.of(metric, policy.expect), shape, closes_s, days)
                case MetricType.ERROR_RATE:
                    self._errors[name] = ErrorTrack(policy, shape, self._crowd, closes_s)
                case MetricType.LATENCY if metric.max_us is not None:
                    self._limits[name] = LimitTrack(metric, shape, self._crowd, closes_s)
                case MetricType.LATENCY:
                    self._latencies[name] = LatencyTrack(metric, shape, self._crowd, closes_s)
                case MetricType.THRESHOLD:
                    self._polls[name] = PollTrack(metric, (shape[0], shape[2]))
        closes_s = _closes_s(fallback_window_s(policy))
        self._fallback = FallbackTrack(shape, self._crowd, closes_s) if policy.resilience.falls_back else None

    def pass_to(self, now_s: float, stand: Stand) -> None:
        """Let time pass until the next look."""
        span, self._now_s = Span(self._now_s, now_s), now_s
        kinds = self._arrivals.draw(self._rng, span, stand.steps_on, stand.active, stand.entered_s)
        self._filed_s = now_s - self._lag_s(now_s, stand.entered_s)
        is_warm = span.from_s >= stand.warm_from_s
        counted = kinds if is_warm.all() else kinds * is_warm[:, np.newaxis, np.newaxis, np.newaxis]
        self.is_harmful[:] = False
        for metric in self._policy.metrics:
            self._draw(metric, kinds if metric.source is Source.OUTCOMES else counted, span, stand)
        if self._fallback is not None:
            chance = self._levels.at(FALLBACK, span, stand.entered_s)
            self.is_harmful |= self._levels.is_harmful(FALLBACK, chance)
            self._fallback.draw(self._rng, counted, chance, span)
        self._copy(kinds, span, stand)
        self.is_harmful[:, 0] = False
        units = kinds.sum(axis=(1, 3))
        self.exposed += np.where(self.is_harmful, units, 0)
        self.tried += units[:, 1:].sum(axis=1)

    def _draw(self, metric: Metric, kinds: IntArray, span: Span, stand: Stand) -> None:
        rng, name = self._rng, metric.name
        level = self._levels.at(name, span, stand.entered_s)
        self.is_harmful |= self._levels.is_harmful(name, level)
        if metric.source is Source.OUTCOMES:
            level = level * (1.0 - self._scenario.outcomes_lost)
            track = self._binary.get(name) or self._values[name]
            track.draw(rng, kinds.sum(axis=-1), level, span, self._day_from_s)
            track.close(self._filed_s)
        elif name in self._errors:
            self._errors[name].draw(rng, kinds, level, span, stand.steps_on)
        elif name in self._limits:
            self._limits[name].draw(rng, kinds, level, span)
        elif name in self._latencies:
            self._latencies[name].draw(rng, kinds, level, span)
        else:
            self._polls[name].draw(rng, level, span, self._is_blind(span, stand.entered_s))

    def _copy(self, kinds: IntArray, span: Span, stand: Stand) -> None:
        """Draw how the shadows fare with their copies, while any are sent."""
        if not stand.mirrored.any():
            return
        requests = (kinds.sum(axis=(1, 2)) @ self._crowd.requests).astype(np.int64)
        copies = self._rng.binomial(requests, stand.mirrored)
        errors = next(iter(self._errors), FALLBACK)
        chance = self._levels.at(errors, span, stand.entered_s)
        for arm in range(1, self._policy.arms):
            failures = self._rng.binomial(copies, chance[:, arm])
            self._copies[:, arm] += np.stack([copies, failures], axis=-1)

    def _lag_s(self, now_s: float, entered_s: FloatArray) -> FloatArray:
        """Return how long nothing was filed, where outcomes are silent just now."""
        lag_s = np.zeros(len(entered_s))
        for fault in self._of(FaultKind.SILENT):
            begins = begins_s(fault.begins, entered_s)
            is_on = (begins < now_s) & (now_s < begins + _lasts_s(fault))
            lag_s = np.maximum(lag_s, np.where(is_on, now_s - begins, 0.0))
        return lag_s

    def _is_blind(self, span: Span, entered_s: FloatArray) -> BoolArray:
        blind = np.zeros(len(entered_s), dtype=np.bool_)
        for fault in self._of(FaultKind.BLIND):
            blind |= activity(begins_s(fault.begins, entered_s), 0.0, fault.lasts_s, span) > 0
        return blind

    def _of(self, kind: FaultKind) -> list[Fault]:
        return [fault for fault in self._scenario.faults if fault.kind is kind]

    def now_us(self) -> int:
        """Return what the control plane's clock shows, which may be off."""
        off_s = sum(
            fault.jump_s
            for fault in self._of(FaultKind.CLOCK)
            if fault.begins.after_s <= self._now_s < fault.begins.after_s + _lasts_s(fault)
        )
        return start_us(self._scenario) + int((self._now_s + off_s) * _SECOND_US)

    def evidence(self) -> Evidence:
        """Return one look at every replicate."""
        mark_us = start_us(self._scenario) + int(self._now_s * _SECOND_US)
        first_s = np.where(np.isinf(self._arrivals.first_s), self._now_s, self._arrivals.first_s)
        return Evidence(
            watermark_us=mark_us,
            fast_watermark_us=mark_us,
            first_enrolled_us=start_us(self._scenario) + (first_s * _SECOND_US).astype(np.int64),
            enrolled=self._arrivals.enrolled,
            units_in_step=self._arrivals.in_step,
            arms=tuple(self._arm(arm) for arm in range(1, self._policy.arms)),
            enrolled_arms=self._arrivals.enrolled_arms,
            lag_us=((self._now_s - self._filed_s) * _SECOND_US).astype(np.int64),
        )

    def _arm(self, arm: int) -> ArmEvidence:
        copies = self._copies[:, arm]
        binary = {name: track.evidence(arm) for name, track in self._binary.items()}
        means = {name: track.evidence(arm) for name, track in self._values.items()}
        polls = {name: track.evidence(arm) for name, track in self._polls.items()}
        return ArmEvidence(
            binary={name: found for name, found in binary.items() if found is not None},
            means={name: found for name, found in means.items() if found is not None},
            errors={name: track.evidence(arm) for name, track in self._errors.items()},
            limits={name: track.evidence(arm) for name, track in self._limits.items()},
            latencies={name: track.evidence(arm) for name, track in self._latencies.items()},
            polls={name: found for name, found in polls.items() if found is not None},
            fallbacks=None if self._fallback is None else self._fallback.evidence(arm),
            mirrored=MirrorEvidence(copies[:, 0], copies[:, 1]) if self._policy.mirror_steps else None,
        )

    def pooled(self, name: str) -> Pooled:
        """Return an outcome's closed units, as somebody sees them who adds everything up."""
        return (self._binary.get(name) or self._values[name]).pooled()

    def true_lift(self, name: str, stand: Stand, span: Span) -> FloatArray:
        """Return a metric's true difference from the control in a span, [replicate, arm]."""
        level = self._levels.at(name, span, stand.entered_s)
        return np.asarray(level / level[:, :1] - 1.0)

    @property
    def filed_late(self) -> BoolArray:
        """Where not everything until now is filed, [replicate]."""
        return self._filed_s < self._now_s

    def begin_step(self, moved: BoolArray) -> None:
        """Count anew what is counted within a step, where one has just begun."""
        self._arrivals.begin_step(moved)
        self._copies[moved] = 0

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._arrivals.keep(kept)
        self._filed_s, self._copies = self._filed_s[kept], self._copies[kept]
        self.exposed, self.tried = self.exposed[kept], self.tried[kept]
        self.is_harmful = self.is_harmful[kept]
        tracks = (self._binary, self._values, self._errors, self._limits, self._latencies, self._polls)
        for track in (track for kind in tracks for track in kind.values()):
            track.keep(kept)
        if self._fallback is not None:
            self._fallback.keep(kept)


def _closes_s(window_s: float) -> float:
    return window_s + PATIENCE.grace_for(window_s) / _SECOND_US


def _lasts_s(fault: Fault) -> float:
    return np.inf if fault.lasts_s is None else fault.lasts_s
