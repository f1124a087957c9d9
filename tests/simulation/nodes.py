"""Nodes of a simulated world: they ask one control plane or another, and serve what is newest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rollout.client.nodes import LiveState, NodeState, SplitState
from rollout.domain.assignment import Placement
from rollout.fleet.fleet import Fleet
from rollout.fleet.snapshot import Snapshot
from tests.simulation.faults import Faults
from tests.simulation.timeline import Timeline

HEARTBEAT_S = 1.5
LONGEST_CUT_S = 25.0


def term_of(snapshot: Snapshot) -> int:
    """Return under whose leadership a snapshot was wanted."""
    return snapshot.term


@dataclass
class SimulatedNode:
    """One proxy's node; `told` hears what it is about to serve."""

    name: str
    faults: Faults
    timeline: Timeline
    fleets: Callable[[], Sequence[Fleet]]
    told: Callable[[str, Snapshot], None]
    is_fenced: bool = True
    """Whether it follows no control plane that leads no longer; a planted bug lets it."""
    serves: Snapshot | None = None
    is_cut_off_until_s: float = 0.0
    _coming: Snapshot | None = None
    _state: NodeState = field(default_factory=NodeState)

    def begin(self) -> None:
        """Ask for the first time."""
        self.timeline.after(self.faults.chance.uniform(0, 0.5), self._beat)

    @property
    def is_cut_off(self) -> bool:
        """Whether nobody reaches it."""
        return self.timeline.now_s < self.is_cut_off_until_s and not self.faults.is_calm

    @property
    def placements(self) -> Mapping[str, Placement]:
        """What it serves, by policy."""
        parts = () if self.serves is None else self.serves.wanted
        return {part.placement.policy.name: part.placement for part in parts}

    def _beat(self) -> None:
        chance = self.faults.chance
        if self.faults.strikes("node cut off"):
            self.is_cut_off_until_s = self.timeline.now_s + chance.uniform(1, LONGEST_CUT_S)
        fleets = self.fleets()
        if fleets and not self.is_cut_off:
            # Mostly whoever leads; now and then whoever believes that it does.
            fleet = fleets[-1] if chance.random() < 0.7 else chance.choice(fleets)
            self._ask(fleet)
            fleet.told(self.name, self._state)
        self.timeline.after(HEARTBEAT_S * chance.uniform(0.75, 1.25), self._beat)

    def hear(self, fleet: Fleet) -> None:
        """Follow what a control plane has just begun to want."""
        if not self.is_cut_off:
            self._ask(fleet)
            fleet.told(self.name, self._state)

    def _ask(self, fleet: Fleet) -> None:
        wanted, newest = fleet.wanted, self._coming or self.serves
        if wanted is None or (newest is not None and wanted.version == newest.version):
            return
        if self.is_fenced and newest is not None and term_of(wanted) < term_of(newest):
            return
        self._coming = wanted
        if self.faults.strikes("node late"):
            self.timeline.after(self.faults.chance.uniform(0.1, 4.0), self._follow)
        else:
            self._follow()

    def _follow(self) -> None:
        if self._coming is None:
            return
        self.told(self.name, self._coming)
        self.serves, self._coming = self._coming, None
        self._state = NodeState.model_construct(
            snapshot=self.serves.version,
            live=tuple(
                LiveState.model_construct(
                    experiment=one.placement.policy.name,
                    revision=one.placement.revision,
                    split=SplitState(),
                    placement=one.version,
                )
                for one in self.serves.wanted
            ),
            refused=(),
            losses=(),
            degradation=(),
        )
