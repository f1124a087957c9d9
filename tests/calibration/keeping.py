"""Batches that were run before, in a folder: a long run that was cut off goes on where it was."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from tests.calibration.trap import Claim, Kind, Measure, Trap, World


def file_of(folder: Path, trap: Trap, world: World, batch: int) -> Path:
    """Return where a batch is kept; one of another size is another batch."""
    return folder / f"{trap.number:02d}-{zlib.crc32(world.key.encode()):08x}-{world.batch}-{batch:04d}.json"


def load(file: Path) -> tuple[Claim, ...] | None:
    """Return the claims that a file keeps, or None without one."""
    if not file.exists():
        return None
    return tuple(
        Claim(
            one["name"],
            Kind(one["kind"]),
            np.array(one["draws"], dtype=np.float64),
            one["level"],
            Measure(one["measure"]),
            one["strong"],
        )
        for one in json.loads(file.read_text(encoding="utf-8"))
    )


def save(file: Path, claims: tuple[Claim, ...]) -> None:
    """Keep a batch's claims; a run that is cut off here leaves no half file."""
    rows = [
        {
            "name": claim.name,
            "kind": claim.kind.value,
            "draws": claim.draws.tolist(),
            "level": claim.level,
            "measure": claim.measure.value,
            "strong": claim.strong,
        }
        for claim in claims
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(json.dumps(rows), encoding="utf-8")
    unfinished.replace(file)
