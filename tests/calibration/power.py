"""How fast our tests decide: samples to a verdict beside the fixed-horizon test and Wald's bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from rollout.stats import balance, events, means, normal_mixture, planning, slo, starts
from rollout.stats.moments import Moments
from tests.calibration.stopping import first_at_bar, fixed_trials, text
from tests.calibration.study import Study, Table
from tests.calibration.trap import USED_BAR, FloatArray, IntArray
from tests.calibration.traps import late_harm

_ALPHA, _POWER = 0.05, 0.8

_LogE = Callable[[IntArray, IntArray], FloatArray]


@dataclass(frozen=True, slots=True)
class _Question:
    """A question about 0/1 trials: our test, the truth, the null, our level, and the fixed test's a side."""

    name: str
    log_e: _LogE
    truth: float
    null: float
    alpha: float = _ALPHA
    fixed_alpha: float = _ALPHA


_HEAD = (
    "test",
    "truth",
    "fixed horizon",
    "Wald's bound",
    "median",
    "mean",
    "mean / fixed",
    "mean / bound",
    "done by the fixed horizon",
)
# The simulation ends after this many fixed horizons; what has not stopped by then counts as that long.
_HORIZONS, _LOOKS, _BLOCKS = 12.0, 600, 8
_SMALLEST_RATE = 1e-12


def _row(rng: np.random.Generator, replicates: int, question: _Question, truth: str) -> tuple[str, ...]:
    fixed = fixed_trials(question.truth, question.null, alpha=question.fixed_alpha)
    bound = float(
        planning.wald_samples(max(question.truth, _SMALLEST_RATE), question.null, alpha=question.alpha)
    )
    trials = max(1, round(_HORIZONS * fixed / _LOOKS)) * np.arange(1, _LOOKS + 1)
    stops = _stops(rng, replicates, question, trials)
    mean = float(np.minimum(stops, trials[-1]).mean())
    numbers = (fixed, bound, float(np.median(stops)), mean, mean / fixed, mean / bound)
    return (question.name, truth, *(text(number) for number in numbers), f"{(stops <= fixed).mean():.0%}")


def _stops(rng: np.random.Generator, replicates: int, question: _Question, trials: IntArray) -> FloatArray:
    """Return the trials at the first look that rejects; a stopped replicate is not looked at again."""
    hits = rng.binomial(trials[0], question.truth, (replicates, trials.size)).cumsum(axis=1)
    stops = np.full(replicates, np.inf)
    for block in np.array_split(np.arange(trials.size), _BLOCKS):
        running = np.flatnonzero(np.isinf(stops))
        if running.size:
            log_e = question.log_e(hits[np.ix_(running, block)], trials[block])
            stops[running] = first_at_bar(log_e, trials[block], question.alpha)
    return stops


_RISKS = (1.25, 1.5, 2.0, 5.0, 20.0)
_SHARES = (0.5, 0.05)


def _label_tests(share: float) -> tuple[tuple[str, _LogE, float], ...]:
    def harm(hits: IntArray, n: IntArray) -> FloatArray:
        return events.log_e_harm(hits[..., np.newaxis], (n - hits)[..., np.newaxis], share=share)

    return (
        (
            "closed form, two-sided",
            lambda hits, n: events.log_e_two_sided(hits, n - hits, share=share),
            _ALPHA / 2,
        ),
        ("closed form, one-sided", lambda hits, n: events.log_e_greater(hits, n - hits, share=share), _ALPHA),
        ("harm mixture", harm, _ALPHA),
        (
            "harm mixture as start 0 of (g)",
            lambda hits, n: starts.strongest(harm(hits, n)[..., np.newaxis], [0]),
            _ALPHA,
        ),
    )


def _labels(rng: np.random.Generator, replicates: int) -> Table:
    rows = []
    for share, risk in product(_SHARES, _RISKS):
        truth = float(events.share_under(np.log(risk), share))
        for name, log_e, fixed_alpha in _label_tests(share):
            question = _Question(name, log_e, truth, share, fixed_alpha=fixed_alpha)
            rows.append(_row(rng, replicates, question, f"share {share:g}, risk × {risk:g}"))
    return Table(
        "(b) Events to a verdict",
        "Units with an event until log e reaches ln 20, for a candidate with this share of the buckets and "
        "this relative risk. Fixed horizon: the exact binomial test at one look, α = 5 % (two-sided: 2.5 % "
        "a side), power 80 %. The closed forms are tuned to a relative risk of 1 ± .2, the mixture to 1.25 "
        "and more.",
        _HEAD,
        tuple(rows),
    )


_LIMIT = 0.01
_PLANNED_UNITS = (1_000, 5_000)
_LIMIT_TESTS = (
    ("compliance", slo.log_e_compliance, (0.0, 0.005, 0.008)),
    ("violation", slo.log_e_violation, (0.02, 0.015, 0.012)),
)


def _limits(rng: np.random.Generator, replicates: int) -> Table:
    rows = []
    for planned, (name, test, truths) in product(_PLANNED_UNITS, _LIMIT_TESTS):
        log_e = partial(test, limit=_LIMIT, planned_units=planned)
        for truth in truths:
            question = _Question(f"{name}, tuned to {planned:,}", log_e, truth, _LIMIT)
            rows.append(_row(rng, replicates, question, f"{truth:.1%}"))
    return Table(
        "(c) Units to a verdict on a limit of 1 %",
        "Independent units until log e reaches ln 20, at this true share of exceedances.",
        _HEAD,
        tuple(rows),
    )


def _mismatches(rng: np.random.Generator, replicates: int) -> Table:
    def log_e(hits: IntArray, n: IntArray) -> FloatArray:
        return balance.log_e(np.stack([hits, n - hits], axis=-1)[..., np.newaxis, :], (0.5, 0.5))

    rows = []
    for truth in (0.51, 0.52, 0.55, 0.6):
        question = _Question("sample ratio", log_e, truth, 0.5, balance.ALPHA, balance.ALPHA / 2)
        rows.append(_row(rng, replicates, question, f"{truth:.0%}"))
    return Table(
        "(e) Distinct units until a mismatch is called",
        "Units until log e reaches ln 1,000, where the split should be even and one arm gets this share.",
        _HEAD,
        tuple(rows),
    )


_PLANNED = 1.77
_STEPS, _LONGEST = 200, 10


def _lengths(rng: np.random.Generator, replicates: int) -> Table:
    plan = planning.sequential(_ALPHA, _POWER)
    computed = (plan.planned, plan.median, plan.mean)
    return Table(
        "(a) and (i) Information to a verdict, in fixed horizons",
        "A mean at the effect it was planned for, α = 5 %, W* = 1.77 fixed horizons, 200 looks in each. "
        "The fixed horizon is (z_{1−α} + z_{.8})² σ²/Δ², two-sided (z_{1−α/2} + z_{.8})² σ²/Δ². Last row: "
        "by first passage, looks without end, W* where the power is 80 %.",
        ("test", "80 % power at", "median", "mean, ended at 2.2", "mean", "proven by 1.77", "proven by 2.2"),
        (
            _length_row(rng, replicates, "one-sided", 1),
            _length_row(rng, replicates, "two-sided", 2),
            (
                "one-sided, computed",
                *(f"{number:.2f}" for number in computed),
                "",
                "",
                f"{plan.power_at_longest:.1%}",
            ),
        ),
    )


def _length_row(rng: np.random.Generator, replicates: int, name: str, sides: int) -> tuple[str, ...]:
    test = normal_mixture.log_e_greater if sides == 1 else normal_mixture.log_e_two_sided
    fixed = float(planning.fixed_information(1.0, variance=1.0, alpha=_ALPHA / sides, power=_POWER))
    horizons = np.arange(1, _STEPS * _LONGEST + 1) / _STEPS
    ratio = normal_mixture.best_ratio(_ALPHA, sides=sides) * horizons / _PLANNED
    step = fixed / _STEPS
    score = (step + np.sqrt(step) * rng.standard_normal((replicates, horizons.size))).cumsum(axis=1)
    stops = first_at_bar(test(score / np.sqrt(fixed * horizons), ratio), horizons, _ALPHA)
    numbers = (
        np.quantile(stops, _POWER),
        np.median(stops),
        np.minimum(stops, planning.LONGEST).mean(),
        np.minimum(stops, _LONGEST).mean(),
    )
    shares = ((stops <= end).mean() for end in (_PLANNED, planning.LONGEST))
    return (name, *(f"{number:.2f}" for number in numbers), *(f"{share:.1%}" for share in shares))


_RATES, _LIFT = (0.01, 0.1, 0.3), 0.05
_ARM_LOOKS = 400


def _labels_and_means(rng: np.random.Generator, replicates: int) -> Table:
    rows = []
    for rate in _RATES:
        contrast, one_sided, two_sided = _median_units(rng, replicates, rate)
        ratios = (f"{label / contrast:.2f}" for label in (one_sided, two_sided))
        rows.append((f"{rate:.0%}", *(text(units) for units in (contrast, one_sided, two_sided)), *ratios))
    return Table(
        "(b) as a KPI test beside (a)",
        "Median units per arm until log e reaches ln 20, for a conversion rate that the candidate lifts by "
        "5 %; W* = 1.77 fixed horizons, k for a relative risk of 1 ± .1.",
        ("rate", "(a) one-sided", "(b) one-sided", "(b) two-sided", "one-sided / (a)", "two-sided / (a)"),
        tuple(rows),
    )


def _median_units(rng: np.random.Generator, replicates: int, rate: float) -> tuple[float, ...]:
    lifted = rate * (1.0 + _LIFT)
    variance = planning.contrast_variance(rate * (1.0 - rate), lifted * (1.0 - lifted))
    fixed = float(planning.fixed_information(rate * _LIFT, variance=variance, alpha=_ALPHA, power=_POWER))
    per_look = round(float(planning.units_per_arm(5.0 * fixed)) / _ARM_LOOKS)
    n = per_look * np.arange(1, _ARM_LOOKS + 1)
    a, b = (rng.binomial(per_look, p, (replicates, n.size)).cumsum(axis=1) for p in (rate, lifted))
    arms = (Moments.of_successes(n[:, np.newaxis], hits[..., np.newaxis]) for hits in (a, b))
    k = events.concentration_for(0.1)
    tests = (
        means.log_e_greater(means.contrast(*arms), planned_information=_PLANNED * fixed),
        events.log_e_greater(b, a, concentration=k),
        events.log_e_two_sided(b, a, concentration=k),
    )
    return tuple(float(np.median(first_at_bar(log_e, n, _ALPHA))) for log_e in tests)


_QUIET_HOURS = (0, 1, 24, 168)


_SCHEDULES = (
    (late_harm.OURS, "every 10 s; at any moment"),
    (late_harm.Schedule(starts.WINDOWS_EVERY_S, is_any_moment=False), "every 10 min; as a start begins"),
    (late_harm.RARE, "every 10 min; at any moment"),
)


def _late_harm(rng: np.random.Generator, replicates: int) -> Table:
    rows = []
    for name, comparison in (("the control", late_harm.CONTROL), ("all baseline", late_harm.BASELINE)):
        for schedule, onset in _SCHEDULES:
            delays = []
            for hours in _QUIET_HOURS:
                errors = late_harm.drawn(rng, replicates, quiet_hours=hours, schedule=schedule)
                delays.append(late_harm.with_starts(errors, comparison))
            rows.append((name, onset, *(f"{np.median(delay):.2f} ({delay.mean():.2f})" for delay in delays)))
    candidate_rate, quiet_rate = late_harm.RATES
    bound_s = (
        planning.wald_samples(candidate_rate, quiet_rate, alpha=1.0 / USED_BAR) / late_harm.CANDIDATE_PER_S
    )
    return Table(
        "(g) Seconds from the onset of harm to the verdict",
        "Median (mean) at the bar of 400; 500 requests/s, 5 % of them the candidate's, whose errors rise "
        "from 1 to 20 % after so many quiet hours; a look every quarter of a second. Ours are starts every "
        "10 s. Wald's bound with both rates known: "
        f"{float(bound_s):.2f} s.",
        ("compared with", "starts; harm sets in", *(f"{hours} h" for hours in _QUIET_HOURS)),
        tuple(rows),
    )


STUDIES: tuple[Study, ...] = (
    Study("power: means", _lengths),
    Study("power: labels", _labels),
    Study("power: limits", _limits),
    Study("power: sample ratio", _mismatches),
    Study("power: labels beside means", _labels_and_means),
    Study("power: late harm", _late_harm, replicates=500),
)
