"""The fleet's benchmark: nothing counts before every node has confirmed it."""

from __future__ import annotations

from bench.fleet.fanout import Plan, Row, lines, table


def test_every_node_confirms_every_change() -> None:
    (row,) = table(Plan(nodes=(2,), policies=(3,), changes=2))
    assert (row.nodes, row.policies) == (2, 3)
    assert 0 < row.median_ms <= row.slowest_ms


def test_ratios_are_to_one_node() -> None:
    found = lines([Row(1, 1, 10.0, 20.0), Row(10, 1, 40.0, 60.0)])
    assert found[-1] == "| 10 | 1 | 40.0 ms | 4.0 | 60 ms |"
