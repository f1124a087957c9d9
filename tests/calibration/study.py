"""What a study is: a measurement that ends as a table on the page, with nothing required of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.calibration.trap import SEED


@dataclass(frozen=True, slots=True)
class Table:
    """A table for the page: what it shows, its column heads and its rows, all as text."""

    title: str
    sentence: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Study:
    """A measurement; `run(rng, replicates)` makes its table (short runs pass fewer replicates)."""

    key: str
    run: Callable[[np.random.Generator, int], Table]
    replicates: int = 2000
    short: int = 200


def run_study(study: Study, *, short: bool) -> Table:
    """Return the table of one study, drawn from the study's own seed sequence."""
    sequence = np.random.SeedSequence(SEED, spawn_key=(zlib.crc32(study.key.encode()),))
    return study.run(np.random.default_rng(sequence), study.short if short else study.replicates)
