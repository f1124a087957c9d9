"""A few replicates of the traps through the pipeline, and a broken pipeline, which they must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from rollout.agent.recorder import Converter
from tests.calibration import registry
from tests.calibration.__main__ import DOCS
from tests.calibration.trap import Claim, Finding, Kind, Trap, World, judged, ours, run_batch
from tests.pipeline import page, traps
from tests.pipeline.short_chain import Converting
from tests.pipeline.shown import SHOWN
from tests.pipeline.traps import ramps, requests

TRAPS = registry.all_traps(traps)
WORLDS = [
    pytest.param(trap, world, id=f"{trap.number}-{world.key}") for trap in TRAPS for world in trap.worlds
]
HARDLY_ANY, FEW = 2, 20
QUICK = {2, 7, 21}
"""Of these a few more are run: goals, people who return, limits."""


def findings(trap: Trap, world: World, replicates: int) -> list[Finding]:
    """Return what a few replicates come to."""
    few = replace(world, batch=replicates, short=replicates, replicates=replicates)
    return judged(trap, few, [run_batch(trap, few, 0)], short=True)


@pytest.mark.slow
@pytest.mark.parametrize(("trap", "world"), WORLDS)
def test_trap_is_held_through_the_pipeline(trap: Trap, world: World) -> None:
    found = findings(trap, world, FEW if trap.number in QUICK else HARDLY_ANY)
    assert {Kind.WRONG, Kind.OURS} <= {one.kind for one in found}
    broken = [one for one in found if one.kind is Kind.OURS and not one.passed]
    assert not broken, "\n".join(f"{one.claim}: {one.value:.4f}, bar {one.bar:.4f}" for one in broken)
    if trap.number in QUICK:
        assert all(one.passed for one in found), "every one of these mistakes shows in a few replicates"


def units_by_request(converter: Converter) -> Converter:
    """Return a recorder that takes every request for a unit of its own, as many a proxy's metrics do."""

    def convert(lines: bytes) -> tuple[bytes, list[bytes]]:
        told = [msgspec.json.decode(line) for line in lines.splitlines()]
        own = [{**request, "unit": f"{request['unit']}-{request['ts']}"} for request in told]
        return converter(msgspec.json.Encoder().encode_lines(own))

    return convert


def rest_as_control(converter: Converter) -> Converter:
    """Return a recorder that takes whoever the baseline serves for a control."""
    return lambda lines: converter(lines.replace(b'/rest"', b'/control/1"'))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "simulate", "converting", "broken"),
    [
        (4, ramps.climbing, rest_as_control, "paused for a mismatch"),
        (9, requests.erring, units_by_request, "rolled back"),
        (10, requests.split, units_by_request, "paused for a mismatch"),
    ],
)
def test_a_broken_pipeline_breaks_the_bar(
    number: int, simulate: Callable[..., list[Claim]], converting: Converting, broken: str
) -> None:
    (trap,) = (trap for trap in TRAPS if trap.number == number)
    world = replace(trap.worlds[0], simulate=partial(simulate, converting=converting))
    assert [one.passed for one in findings(trap, world, FEW) if one.claim == broken] == [False]


def test_all_24_traps_go_through_the_pipeline() -> None:
    assert [trap.number for trap in TRAPS] == [trap.number for trap in registry.all_traps()]
    assert {trap.number: trap.name for trap in TRAPS} == {
        trap.number: trap.name for trap in registry.all_traps()
    }
    assert {trap.number for trap in TRAPS} == set(SHOWN)


def test_the_section_on_the_page_is_of_these_worlds() -> None:
    text = (DOCS / "calibration.md").read_text(encoding="utf-8")
    section = page.kept(text)
    for trap in TRAPS:
        assert f"- **{trap.number}, {trap.name}**: {SHOWN[trap.number]}." in section
        for world in trap.worlds:
            assert f"  - {world.key.removeprefix('pipeline: ')}: {world.sentence}\n" in section
    assert "In 24 traps every mistake is caught and ours holds." in section


def test_the_section_keeps_its_place_and_the_others() -> None:
    (trap,) = (trap for trap in TRAPS if trap.number == 10)
    one = findings(
        trap, replace(trap.worlds[0], simulate=lambda _rng, number: [ours("made up", [False] * number)]), 2
    )
    first, second = page.section(one), page.section([*one, *one])
    policies = "<!-- policies: begin -->\npolicies\n<!-- policies: end -->\n"
    begun = page.with_section(f"# Calibration\n\n{policies}", first)
    assert begun.index("Through the whole pipeline") < begun.index("policies\n")
    assert page.with_section(begun, second).count("<!-- pipeline: begin -->") == 1
    assert page.with_section(begun, first) == begun
    assert page.kept(begun).strip() == first.strip()
