"""What nodes and the control plane tell each other: the snapshot that is wanted, and how each node stands.

A snapshot's placements are plain JSON here; `rollout.fleet.snapshot` writes and reads them.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AwareDatetime, Field, JsonValue

from rollout.client.answers import Answer

LONGEST_WAIT_S: Final = 30.0
"""How long a question for a newer snapshot may be kept waiting."""
LARGEST_STATE_BYTES: Final = 16 * 1024 * 1024
MAXIMUM_EXPERIMENTS: Final = 5_000
MAXIMUM_LOSSES: Final = 4_000
MAXIMUM_REASON_CHARACTERS: Final = 1_000
VERSION_CHARACTERS: Final = 32

Text = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=MAXIMUM_REASON_CHARACTERS)]
SNAPSHOT_VERSION: Final = rf"^(0|[1-9][0-9]{{0,14}})-[0-9a-f]{{{VERSION_CHARACTERS}}}$"
"""The term of whoever leads, which only grows, and a hash of what is wanted."""
Version = Annotated[str, Field(pattern=f"^[0-9a-f]{{{VERSION_CHARACTERS}}}$")]
SnapshotVersion = Annotated[str, Field(pattern=SNAPSHOT_VERSION)]
Count = Annotated[int, Field(ge=0, lt=2**62)]
Number = Annotated[int, Field(ge=0, le=100_000)]


class SnapshotAnswer(Answer):
    """All placements that every node should serve, and no others."""

    version: SnapshotVersion = Field(
        description="The term of who leads, and a hash of the placements' own versions, in their order."
    )
    placements: tuple[JsonValue, ...] = Field(
        max_length=MAXIMUM_EXPERIMENTS,
        description="Each whole, or by its version where the snapshot named in `after` had it.",
    )


class UnitKeyAnswer(Answer):
    """The key under which every node hashes unit ids: the same for all, else outcomes never join."""

    key: str = Field(pattern=r"^([0-9a-f]{2}){16,64}$", repr=False)


class SplitState(Answer):
    """A split as one Envoy acknowledged it."""

    steps_on: Number = 0
    is_promoted: bool = False
    winner: Number = 1
    stopped: tuple[Number, ...] = ()
    mirror_on: Number = 0
    is_released: bool = False


class LiveState(Answer):
    """An experiment that a node's Envoy acknowledged."""

    experiment: Text
    revision: Count
    split: SplitState
    placement: Version = Field(description="A hash of the whole placement as canonical JSON.")


class RefusedState(Answer):
    """What a node does not serve although the snapshot asks for it, and why."""

    experiment: Text | None = Field(None, description="Absent: it is not one experiment's fault.")
    revision: Count | None = None
    placement: Version | None = None
    reason: Reason = Field(description="Envoy's own words where it was Envoy that refused.")


class LossState(Answer):
    """Records that a node had to drop: nothing may be concluded from that time."""

    experiment: Text | None = Field(None, description="Absent: any experiment's.")
    revision: Count | None = None
    kind: Text = Field(description="`exposures` or `outcomes`.")
    rows: Count
    from_us: Count
    to_us: Count


class DegradationState(Answer):
    """How an arm's upstream fares on a node, counted since the node began."""

    experiment: Text
    revision: Count
    arm: Text
    fallbacks: dict[Text, Count] = Field(
        default_factory=dict,
        max_length=50,
        description="Attempts that failed, by cause: another one followed.",
    )
    ejections: Count = 0
    hosts: Number = 0
    healthy_hosts: Number = 0
    open_breakers: tuple[Text, ...] = Field((), max_length=20, description="The limits reached now.")


class NodeState(Answer):
    """How a node stands: told at every change, and every few seconds."""

    snapshot: SnapshotVersion | None = Field(None, description="The newest snapshot that it dealt with.")
    live: tuple[LiveState, ...] = Field((), max_length=MAXIMUM_EXPERIMENTS)
    refused: tuple[RefusedState, ...] = Field((), max_length=MAXIMUM_EXPERIMENTS)
    envoy_starts: Count = Field(0, description="Lives of its Envoy; more than one: it ended and came back.")
    envoy_has_failed: bool = Field(default=False, description="Its Envoy does not stay up.")
    losses: tuple[LossState, ...] = Field((), max_length=MAXIMUM_LOSSES)
    degradation: tuple[DegradationState, ...] = Field((), max_length=4 * MAXIMUM_EXPERIMENTS)


class NodeAnswer(Answer):
    """One node as the control plane knows it."""

    name: str
    is_silent: bool = Field(description="It has not told how it stands for longer than it should.")
    is_live: bool = Field(description="It serves all of the wanted snapshot.")
    seen_at: AwareDatetime | None = Field(None, description="Absent: only its records are known.")
    state: NodeState | None = None


class NodesAnswer(Answer):
    """Every known node, by name."""

    wanted: SnapshotVersion | None = Field(None, description="The snapshot that every node should serve.")
    nodes: tuple[NodeAnswer, ...]
