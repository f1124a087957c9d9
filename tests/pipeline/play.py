"""Minutes of traffic through the chain, with a look at every experiment every three of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from rollout.domain.decision import Reason
from rollout.domain.experiment import ENDED, Phase
from rollout.ports import Standing
from tests.lake.histories import as_lines
from tests.pipeline.chain import Chain
from tests.pipeline.crowds import crowd_of
from tests.pipeline.families import SECOND_US, WINDOW_S, Family, policy_of
from tests.pipeline.lives import Life
from tests.pipeline.readings import Naive
from tests.replaying import assert_all_agree

LOOK_EVERY_US: Final = 180 * SECOND_US
BEGIN_US: Final = 86_400 * SECOND_US * 20_000 - 630 * SECOND_US
"""Midnight falls between two looks, so that the goal's harm test begins anew on a second day."""


@dataclass(frozen=True)
class Ending:
    """What became of one experiment."""

    family: Family
    standing: Standing
    reasons: frozenset[Reason]
    naive: Naive

    @property
    def phase(self) -> Phase:
        """Where its run stands."""
        return self.standing.experiment.phase

    @property
    def lacks_only_the_goal(self) -> bool:
        """Whether everything else that a promotion needs was proven at the last look that was kept."""
        last = self.standing.last
        return last is not None and all(verdict.is_proven for verdict in last.judgement.verdicts[1:])


@dataclass(frozen=True)
class Written:
    """What was put into the chain: requests and failures by route, goals by experiment."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    goals: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Played:
    """What went in, and what came of it."""

    written: Written
    endings: tuple[Ending, ...]


def lives_of(families: Sequence[Family], looks: int) -> tuple[Life, ...]:
    """Return every experiment of some families, before anything has happened."""
    arrive_s = looks * LOOK_EVERY_US / SECOND_US - 2.0 * WINDOW_S
    policies = [
        (family, policy_of(family, number)) for family in families for number in range(family.experiments)
    ]
    return tuple(
        Life(family, policy, crowd_of(family, policy.name, begin_us=BEGIN_US, arrive_s=arrive_s))
        for family, policy in policies
    )


def play(chain: Chain, lives: Sequence[Life], looks: int) -> Played:
    """Live through all looks, and return what came of it."""
    written = Written()
    ticking = {run.experiment.uid for run in chain.ledger.runs()}
    _look(chain, ticking)
    for _ in range(looks):
        after_us, until_us = chain.clock.now_us, chain.clock.now_us + LOOK_EVERY_US
        _serve(chain, lives, written, after_us, until_us)
        chain.clock.now_us = until_us
        _tell(chain, lives, written, until_us)
        chain.record()
        _look(chain, ticking)
    by_name = {run.experiment.policy.name: run for run in chain.ledger.runs()}
    return Played(written, tuple(_ending(chain, life, by_name[life.policy.name]) for life in lives))


def _serve(chain: Chain, lives: Sequence[Life], written: Written, after_us: int, until_us: int) -> None:
    requests = []
    for life in lives:
        placement = chain.proxy.placed[life.policy.name]
        for request, fails in life.requests(placement, after_us, until_us):
            requests.append(request)
            written.requests[str(request["route"])] += 1
            written.failures[str(request["route"])] += fails
    chain.write(as_lines(sorted(requests, key=itemgetter("ts"))))


def _tell(chain: Chain, lives: Sequence[Life], written: Written, until_us: int) -> None:
    outcomes = []
    for life in lives:
        told = list(life.outcomes(until_us))
        written.goals[life.policy.name] += len(set(told))
        outcomes += told
    chain.tell(outcomes)


def _look(chain: Chain, ticking: set[str]) -> None:
    for uid in sorted(ticking):
        tick = chain.reconciler.tick(uid, chain.clock.now_us)
        assert tick is not None
        assert tick.problems == ()
        if tick.experiment.phase in ENDED:
            ticking.discard(uid)


def _ending(chain: Chain, life: Life, standing: Standing) -> Ending:
    assert_all_agree(chain.ledger, standing.experiment.uid)
    history = chain.ledger.history(standing.experiment.uid)
    return Ending(
        family=life.family,
        standing=standing,
        reasons=frozenset(entry.decision.reason for entry in history),
        naive=chain.readings.naive[life.policy.name],
    )
