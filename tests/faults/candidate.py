"""What a candidate may do to its users: end, hang, and answer badly or not at all."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.models import Manner
from tests.faults.stage import Stage
from tests.faults.strike import Round


@contextmanager
def killed(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """End its process, and begin it again."""
    stage.candidate.kill()
    try:
        yield Round()
    finally:
        stage.candidate.come_back()


@contextmanager
def hung(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Freeze its process: it accepts connections, and says nothing."""
    stage.candidate.send(signal.SIGSTOP)
    try:
        yield Round()
    finally:
        stage.candidate.send(signal.SIGCONT)


@contextmanager
def behaves(manner: Manner, stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Let it treat every request badly; it counts them itself."""
    stage.candidate.behave(manner)
    found = Round()
    try:
        yield found
    finally:
        found.met = stage.candidate.behave(Manner.SOUND)
