"""A node's end of the chain over a folder, and the intake it talks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rollout.agent import converters, uplink
from rollout.agent.custody import Room
from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.log import Log
from rollout.agent.recorder import Point, Recorder, Stream
from rollout.agent.uplink import Patience, Uplink
from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.intake import intake_router
from rollout.lake.segments import Kind
from tests.api.serving import TOKEN, serving
from tests.intake.house import NOW_US, House, opened
from tests.lake.histories import CHANGING_FROM_US, CHANGING_TO_US, HASHING, LIMIT_US, RUN

LAG_US = 3_000_000
LARGEST_CUT = 1500
SETTLE_US = 1_000_000
PAUSES: list[float] = []
PATIENCE = Patience(4, 1.0, 3.0, chance=lambda: 1.0, sleep=PAUSES.append)
"""Tries four times, and notes its pauses instead of sleeping."""


@contextmanager
def control_plane(folder: Path) -> Iterator[tuple[House, str]]:
    """Yield an intake and its address."""
    with opened(folder) as house:
        house.counts.register(RUN, "latency", limit_us=LIMIT_US, share=0.01)
        with serving(create_app([intake_router(house.intake, bearer([TOKEN]))])) as address:
            yield house, address


def acknowledge(file: Path) -> None:
    """Write the journal whose splits are those of `tests.lake.histories.split_at`."""
    journal = Journal(file)
    journal.acknowledged("ranker", 1, 0)
    journal.published("ranker", 2, CHANGING_FROM_US)
    journal.acknowledged("ranker", 2, CHANGING_TO_US)


@contextmanager
def recorder(  # noqa: PLR0913 (each is one thing that a test changes)
    folder: Path,
    address: str,
    *,
    now_us: Callable[[], int] = lambda: NOW_US,
    reached: Callable[[Point], None] = lambda _: None,
    largest_cut: int = LARGEST_CUT,
    lag_us: Callable[[], int | None] = lambda: LAG_US,
    room: Room | None = None,
) -> Iterator[tuple[Recorder, Log]]:
    """Yield a recorder of `access.log`; its cuts are small, so that there are several."""
    access = folder / "access.log"
    log = Log(access, reopen=access.touch, settle_us=SETTLE_US, elapsed_us=now_us)
    history = SplitHistory(folder / "acknowledgements.jsonl")
    stream = Stream(Kind.EXPOSURES, "node-1", log, converters.exposures(HASHING, history), lag_us, folder)
    with uplink.connect(address, TOKEN) as client:
        yield (
            Recorder(
                stream,
                Uplink(client, PATIENCE),
                now_us=now_us,
                reached=reached,
                largest_cut=largest_cut,
                room=room,
            ),
            log,
        )


def step(folder: Path, address: str, *, now_us: int = NOW_US, largest_cut: int = LARGEST_CUT) -> bool:
    """Start a recorder, let it hand in what there is, also what settles, and end it."""
    clock = [now_us]
    with recorder(folder, address, now_us=lambda: clock[0], largest_cut=largest_cut) as (hand, _):
        is_fine = hand.step()
        clock[0] += SETTLE_US
        return hand.step() and is_fine


def write(folder: Path, content: bytes) -> None:
    """Append to the log, as Envoy does."""
    with (folder / "access.log").open("ab") as stream:
        stream.write(content)
