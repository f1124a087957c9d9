"""The proxy's benchmark: everybody passes everything on, and each figure stands beside plain Envoy's."""

from __future__ import annotations

import pytest

from bench.processor import used_s
from bench.proxy import costs
from bench.proxy.contenders import ATTEMPTS, DIRECT, OURS, PLAIN
from bench.proxy.costs import Plan, Row, Turn, lines

TIMES_S = ((0.001, 0.002, 0.003),)


def row(name: str, *used_us: float, added_s: float = 0.0) -> Row:
    times = tuple(tuple(one + added_s for one in by_round) for by_round in TIMES_S)
    return Row(name, tuple(Turn(one, 1_000.0) for one in used_us), times)


def test_a_ratio_is_the_median_of_turns_in_the_same_round() -> None:
    assert row(OURS, 55.0, 110.0, 33.0).ratio_to(row(PLAIN, 50.0, 100.0, 10.0)) == pytest.approx(1.1)


def test_a_missed_goal_is_said_and_who_cannot_keep_up_has_no_times() -> None:
    slow = Row("slow", (Turn(9.0, 10.0),), None)
    found = lines(
        [row(DIRECT, 0.0), row(PLAIN, 50.0), row(OURS, 60.0, added_s=0.0005), row(ATTEMPTS, 60.0), slow]
    )
    text = "\n".join(found)
    assert "rollout: 1.20 times plain Envoy; the goal of at most 1.10 is **missed**." in text
    assert "rollout, with the attempt log: 1.20 times plain Envoy; the goal of at most 1.35 is met." in text
    assert found[-3] == f"| {OURS} | 60.0 µs | 1.20 | 1,000 | +500 µs | +500 µs | +500 µs |"
    assert found[-1] == "| slow | 9.0 µs | 0.18 | 10 | too slow | too slow | too slow |"


def test_processor_time_of_a_process_that_is_gone_is_an_error() -> None:
    with pytest.raises(OSError, match=r"argument|process"):
        used_s([2**22 + 1])


@pytest.mark.slow
def test_everybody_passes_everything_on() -> None:
    found = costs.table(Plan(rounds=1, burst_s=0.5, rate_rounds=1, rate_s=0.2))
    by_name = {one.name: one for one in found}
    assert {DIRECT, PLAIN, OURS, ATTEMPTS} < by_name.keys()
    assert all(one.per_second > 0 for one in found)
    assert all(one.used_us > 0 for name, one in by_name.items() if name != DIRECT)
    assert by_name["FastAPI + httpx"].ratio_to(by_name[PLAIN]) > 2
    assert len(lines(found)) > len(found)
