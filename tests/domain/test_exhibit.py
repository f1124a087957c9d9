"""What is shown of a metric is what its test rests on: units, sums, means and variances, added up plainly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.evidence import ArmEvidence, BinaryEvidence, MeanEvidence, PollEvidence
from rollout.domain.exhibit import ArmSample, Column, Exhibit, exhibit
from rollout.domain.metric import MetricType
from rollout.domain.policy import Policy
from rollout.domain.question import FALLBACK, Question, questions
from rollout.stats.moments import JointMoments
from tests.domain.batches import EVERYTHING
from tests.domain.examples import POLICY
from tests.domain.scenes import evidence

RANDOM = np.random.default_rng(5)


def question(name: str, policy: Policy = POLICY) -> Question:
    return next(one for one in questions(policy) if one.name == name)


def shown(name: str, arm: ArmEvidence, policy: Policy = POLICY) -> Exhibit:
    found = exhibit(question(name, policy), arm)
    assert found is not None
    return found


def test_a_binary_metric_shows_units_successes_and_their_variance_by_block() -> None:
    values = [RANDOM.integers(0, 2, size=size) for size in (40, 25, 30, 0)]
    units = np.array([len(one) for one in values]).reshape(2, 2)
    hits = np.array([one.sum() for one in values]).reshape(2, 2)
    arm = ArmEvidence(binary={"converted": BinaryEvidence(units, hits, units, hits * 0)})
    found = shown("converted", arm)
    every = np.concatenate(values)
    assert found.control is not None
    assert found.control.units == 95
    assert found.control.nonzero == every.sum()
    (column,) = found.control.columns
    assert column.name == "value"
    assert (column.total, column.mean, column.variance) == pytest.approx(
        (every.sum(), every.mean(), every.var(ddof=1))
    )
    assert [(one.place, one.units) for one in found.control.strata] == [(0, 70), (1, 25)]
    first = np.concatenate([values[0], values[2]])
    assert found.control.strata[0].columns[0].variance == pytest.approx(first.var(ddof=1))
    assert found.candidate is not None
    assert found.candidate.columns == (Column("value", 0.0, 0.0, 0.0),)


@pytest.mark.parametrize(
    ("kind", "columns", "names"),
    [
        (MetricType.MEAN, 1, ("value",)),
        (MetricType.COUNT, 2, ("value", "covariate")),
        (MetricType.RATIO, 2, ("numerator", "denominator")),
        (MetricType.RATIO, 3, ("numerator", "denominator", "covariate")),
        (MetricType.BINARY, 2, ("value", "covariate")),
    ],
)
def test_other_metrics_show_each_of_their_numbers(
    kind: MetricType, columns: int, names: tuple[str, ...]
) -> None:
    metric = replace(POLICY.metrics[0], type=kind)
    values = RANDOM.normal(7, 2, size=(60, columns))
    # Two days and two blocks, one of which is empty.
    moments = JointMoments.of_values(values, np.repeat([0, 1, 2], 20), 4)
    by_day = JointMoments(
        moments.n.reshape(2, 2),
        moments.mean.reshape(2, 2, -1),
        moments.scatter.reshape(2, 2, columns, columns),
    )
    arm = ArmEvidence(means={metric.name: MeanEvidence(by_day, by_day, np.array([3, 4]), np.array([1, 1]))})
    found = exhibit(Question(metric.name, 60.0, metric), arm)
    assert found is not None
    assert found.control is not None
    assert (found.control.units, found.control.nonzero) == (60, 7)
    assert tuple(one.name for one in found.control.columns) == names
    for index, column in enumerate(found.control.columns):
        own = values[:, index]
        assert (column.total, column.mean, column.variance) == pytest.approx(
            (own.sum(), own.mean(), own.var(ddof=1))
        )


def test_the_proxys_metrics_show_events_beside_requests_and_what_the_harm_test_saw() -> None:
    (arm,) = evidence(units=1_000).arms
    errors = shown("errors", arm)
    assert errors.control is not None
    assert [one.name for one in errors.control.columns] == ["events", "requests"]
    assert errors.control.columns[1].total == pytest.approx(5_000)
    assert errors.early == {"candidate_units_with_an_error": 2, "compared_units_with_an_error": 2}
    limit = shown("p99", arm)
    assert limit.control is None, "an absolute limit is compared with nobody"
    assert limit.early == {"unit_windows": 1_000, "units_beyond_the_limit": 4}
    fallback = shown(FALLBACK, arm)
    assert isinstance(fallback.candidate, ArmSample)
    assert fallback.candidate.columns[0].total == pytest.approx(2.5)


def test_a_polled_metric_shows_what_its_polls_came_to() -> None:
    (metric,) = [one for one in EVERYTHING.metrics if one.type is MetricType.THRESHOLD][:1]
    arm = ArmEvidence(polls={metric.name: PollEvidence(np.array([-1, 0, 1, 1]))})
    assert shown(metric.name, arm, EVERYTHING).early == {"good_polls": 2, "breaches": 1, "gaps": 1}


@pytest.mark.parametrize("asked", questions(EVERYTHING), ids=lambda one: one.name)
def test_what_was_not_measured_is_absent(asked: Question) -> None:
    assert exhibit(asked, ArmEvidence()) is None


def test_a_sample_of_one_unit_has_no_variance() -> None:
    one = np.array([[1]])
    found = shown("converted", ArmEvidence(binary={"converted": BinaryEvidence(one, one, one * 0, one * 0)}))
    assert found.control is not None
    assert found.candidate is not None
    assert found.control.columns == (Column("value", 1.0, 1.0, None),)
    assert found.candidate.columns == (Column("value", 0.0, 0.0, None),)
