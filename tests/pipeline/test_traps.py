"""A few replicates of the traps through the pipeline, and a broken pipeline, which they must notice."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from rollout.agent.recorder import Converter
from tests.calibration.registry import all_traps
from tests.calibration.trap import Claim, Kind, Trap, World, judged, run_batch
from tests.pipeline import traps
from tests.pipeline.traps.requests import split

FEW = 10
"""Replicates of each world here: enough to see that it runs, and whether ours is badly broken."""
TRAPS = all_traps(traps)
WORLDS = [
    pytest.param(trap, world, id=f"{trap.number}-{world.key}") for trap in TRAPS for world in trap.worlds
]


@pytest.mark.slow
@pytest.mark.parametrize(("trap", "world"), WORLDS)
def test_trap_is_held_through_the_pipeline(trap: Trap, world: World) -> None:
    few = replace(world, batch=FEW, short=FEW, replicates=FEW)
    claims = judged(trap, few, [run_batch(trap, few, 0)], short=True)
    assert {Kind.WRONG, Kind.OURS} <= {claim.kind for claim in claims}
    broken = [claim for claim in claims if claim.kind is Kind.OURS and not claim.passed]
    assert not broken, "\n".join(f"{one.claim}: {one.value:.4f}, bar {one.bar:.4f}" for one in broken)


def units_by_request(converter: Converter) -> Converter:
    """Return a recorder that takes every request for a unit of its own, as many a proxy's metrics do."""

    def convert(lines: bytes) -> tuple[bytes, list[bytes]]:
        requests = [msgspec.json.decode(line) for line in lines.splitlines()]
        own = [{**request, "unit": f"{request['unit']}-{request['ts']}"} for request in requests]
        return converter(msgspec.json.Encoder().encode_lines(own))

    return convert


@pytest.mark.slow
def test_a_pipeline_that_counts_requests_for_units_breaks_the_bar() -> None:
    (trap,) = (trap for trap in TRAPS if trap.number == 10)
    (world,) = trap.worlds
    few = replace(world, batch=FEW, short=FEW, replicates=FEW)

    def broken(rng: np.random.Generator, replicates: int) -> list[Claim]:
        return split(rng, replicates, converting=units_by_request)

    claims = judged(trap, few, [run_batch(trap, replace(few, simulate=broken), 0)], short=True)
    assert [claim.passed for claim in claims if claim.kind is Kind.OURS] == [False]
