"""Parts of ours that end, freeze or get garbage: Envoy, the node, the control plane, the way between."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tests.e2e.crowd import now_us
from tests.faults.excuses import Loss, Window
from tests.faults.stage import Stage, await_true
from tests.faults.strike import Round
from tests.faults.wire import GARBAGE, Manner

FLUSH_US: Final = 500_000
"""What Envoy answered this long before its end may not have been flushed: 200 ms, and a busy machine."""


@contextmanager
def envoy_killed(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Kill Envoy; whoever watches it starts it again."""
    (before,) = stage.envoys()
    found = Round()
    with out_of_service(stage, lambda: os.kill(before, signal.SIGKILL)):
        yield found
        await_true("Envoy is started again", lambda: stage.envoys() not in ([before], []))
        found.met = 1


@contextmanager
def node_killed(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Kill the node, whose Envoy ends with it, and begin it again."""
    with out_of_service(stage, stage.node.kill):
        yield Round(met=1)
        stage.node.begin()


@contextmanager
def control_killed(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Kill the control plane, and begin it again."""
    stage.control.kill()
    try:
        yield Round(met=1)
    finally:
        stage.control.begin()


@contextmanager
def node_killed_alone(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Kill the node while its control plane is gone: it begins with what is on its disk."""
    stage.control.kill()
    try:
        with out_of_service(stage, stage.node.kill):
            yield Round(met=1)
            stage.node.begin()
    finally:
        stage.control.begin()


@contextmanager
def control_frozen(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Freeze the control plane: it accepts connections, and says nothing."""
    stage.control.freeze()
    try:
        yield Round(met=int(not stage.control_is_ready()))
    finally:
        stage.control.thaw()
    await_true("the control plane answers again", stage.control_is_ready)


@contextmanager
def wire_cut(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Cut every connection between the node and its control plane."""
    stage.wire.behave(Manner.CUT)
    try:
        yield Round(met=1)
    finally:
        stage.wire.behave(Manner.SOUND)


@contextmanager
def snapshot_garbled(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Let every answer to the question for a snapshot be garbage."""
    stage.wire.behave(Manner.GARBLED)
    found = Round()
    try:
        yield found
        await_true("the node asks for a snapshot", lambda: stage.wire.garbled > 0)
    finally:
        found.met = stage.wire.behave(Manner.SOUND)


@contextmanager
def snapshot_damaged(stage: Stage, chance: random.Random) -> Iterator[Round]:
    """Kill the node, and write garbage over the snapshot on its disk before it begins again."""
    with out_of_service(stage, stage.node.kill):
        _, garbage = chance.choice(GARBAGE)
        (stage.node_data / "node" / "snapshot.json").write_bytes(garbage)
        yield Round(met=1)
        stage.node.begin()


@contextmanager
def out_of_service(stage: Stage, end: Callable[[], None]) -> Iterator[None]:
    """Forgive what an Envoy that ends cannot do: answer, and write down its last fifth of a second."""
    struck_us = now_us()
    end()
    stage.excuses.losses.append(Loss(Window(struck_us - FLUSH_US, now_us()), struck_us))
    yield
    stage.excuses.cuts.append(Window(struck_us, stage.await_back()))
