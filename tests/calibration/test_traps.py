"""The short calibration: ours holds, strong mistakes are caught, and a broken claim is reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.calibration import chart, page, running
from tests.calibration.__main__ import DOCS, main
from tests.calibration.registry import all_traps
from tests.calibration.trap import Claim, Kind, Trap, World, generator, judged, ours, run_batch, wrong

if TYPE_CHECKING:
    from tests.calibration.trap import Finding

WORLDS = [
    pytest.param(trap, world, id=f"{trap.number}-{world.key}")
    for trap in all_traps()
    for world in trap.worlds
    if world.short
]


@pytest.mark.parametrize(("trap", "world"), WORLDS)
def test_trap_is_held(trap: Trap, world: World) -> None:
    batches = [run_batch(trap, world, number) for number in range(world.short // world.batch)]
    broken = [finding for finding in judged(trap, world, batches, short=True) if not finding.passed]
    assert not broken, "\n".join(f"{one.claim}: {one.value:.4f}, bar {one.bar:.4f}" for one in broken)


def test_all_24_traps_are_there() -> None:
    assert [trap.number for trap in all_traps()] == list(range(1, 25))


def test_every_trap_is_in_the_short_run() -> None:
    assert all(any(world.short for world in trap.worlds) for trap in all_traps())


def test_a_world_without_claims_is_refused() -> None:
    trap = _trap(lambda _rng, _replicates: [])
    with pytest.raises(ValueError, match="no claims"):
        _findings(trap, short=True)


def test_every_trap_has_a_wrong_way_and_ours() -> None:
    for trap in all_traps():
        kinds = {
            claim.kind for world in trap.worlds for claim in world.simulate(generator(trap, world, 0), 2)
        }
        assert {Kind.WRONG, Kind.OURS} <= kinds, trap.name


def _never(_rng: np.random.Generator, replicates: int) -> list[Claim]:
    nothing = np.zeros(replicates, dtype=np.bool_)
    return [wrong("never fooled", nothing, strong=True), ours("never fooled either", nothing)]


def _always(_rng: np.random.Generator, replicates: int) -> list[Claim]:
    everything = np.ones(replicates, dtype=np.bool_)
    return [wrong("always fooled", everything), ours("always fooled too", everything)]


def _as_required(_rng: np.random.Generator, replicates: int) -> list[Claim]:
    everything = np.ones(replicates, dtype=np.bool_)
    return [wrong("always fooled", everything), ours("never fooled", ~everything)]


def _trap(simulate: object) -> Trap:
    assert callable(simulate)
    return Trap(1, "made up", (World("made up", "No world at all.", simulate),))


def _findings(trap: Trap, *, short: bool) -> list[Finding]:
    return running.run((trap,), (), short=short, jobs=1, step=lambda _title: None).findings


def test_a_wrong_way_that_is_not_fooled_is_a_failure() -> None:
    (mistake, method) = _findings(_trap(_never), short=False)
    assert not mistake.passed
    assert method.passed
    assert page.verdict_of(mistake) == "**not caught**"


def test_ours_being_fooled_is_a_failure() -> None:
    (mistake, method) = _findings(_trap(_always), short=True)
    assert mistake.required == "none"
    assert not method.passed
    assert page.verdict_of(method) == "**broken**"


@pytest.mark.parametrize("size", ["--short", "--jobs=1"])
@pytest.mark.parametrize(("simulate", "code"), [(_never, 1), (_always, 1), (_as_required, 0)])
def test_exit_code_says_whether_all_is_as_required(simulate: object, code: int, size: str) -> None:
    assert main(["--jobs=1", size, "--output=json"], (_trap(simulate),)) == code


def test_an_unknown_trap_is_refused() -> None:
    assert main(["--only=99"], (_trap(_as_required),)) == 2


def test_the_number_of_workers_changes_nothing() -> None:
    trap = next(trap for trap in all_traps() if trap.number == 1)
    alone, shared = (
        running.run((trap,), (), short=True, jobs=jobs, step=lambda _title: None).findings for jobs in (1, 2)
    )
    assert alone == shared


def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    asked: list[int] = []

    def noted(rng: np.random.Generator, replicates: int) -> list[Claim]:
        asked.append(replicates)
        return _as_required(rng, replicates)

    first, second = (
        running.run((_trap(noted),), (), short=True, jobs=1, step=lambda _title: None, kept=tmp_path).findings
        for _ in range(2)
    )
    assert first == second
    assert asked == [100, 100]
    next(iter(tmp_path.iterdir())).unlink()
    assert running.run(
        (_trap(noted),), (), short=True, jobs=1, step=lambda _title: None, kept=tmp_path
    ).findings
    assert asked == [100, 100, 100]


def test_the_page_is_the_same_bytes_for_the_same_seeds() -> None:
    trap = _trap(_as_required)
    first, second = (
        page.written(running.run((trap,), (), short=True, jobs=1, step=lambda _title: None)) for _ in range(2)
    )
    assert first == second
    assert "In 1 of 1 traps" in first


def test_the_chart_is_the_same_bytes_for_the_same_findings() -> None:
    findings = _findings(_trap(_as_required), short=True)
    assert chart.drawn(findings) == chart.drawn(findings)
    assert "never fooled" not in chart.drawn(findings)
    assert "made up" in chart.drawn(findings)


def test_the_page_in_the_repository_is_of_these_worlds() -> None:
    text = (DOCS / "calibration.md").read_text(encoding="utf-8")
    shown = {line.split("**")[1] for line in text.splitlines() if line.startswith("**") and "(seed " in line}
    assert shown == {world.key for trap in all_traps() for world in trap.worlds}
    assert "In 24 of 24 traps" in text
