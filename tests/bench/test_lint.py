"""The lint benchmark: its policies are clean and all different, its figures stand beside the bare library."""

from __future__ import annotations

from bench.lint import Row, lines, texts
from rollout.policyfile.collisions import collisions
from rollout.policyfile.reading import read


def test_its_policies_are_clean_and_do_not_collide() -> None:
    readings = [read(text, f"{number}.yaml") for number, text in enumerate(texts(50))]
    assert [finding for reading in readings for finding in reading.findings] == []
    assert collisions(readings) == []
    assert len({reading.policy.name for reading in readings if reading.policy}) == 50


def test_each_figure_has_its_ratio_to_the_bare_library() -> None:
    rows = [Row("ours", 6.0), Row("YAML, values made", 8.0)]
    assert lines(rows)[2:] == [
        "| ours | 6.00 ms | 6.0 s | 0.75 |",
        "| YAML, values made | 8.00 ms | 8.0 s | 1.00 |",
    ]
