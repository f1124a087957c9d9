"""What a fault may cost: when answers may be cut off, and which requests nobody could have written down."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Window:
    """From a moment to another, both included, in microseconds of the true clock."""

    from_us: int
    until_us: int

    def meets(self, from_us: int, until_us: int) -> bool:
        """Say whether something that lasted from then to then was at any moment in this window."""
        return self.from_us <= until_us and from_us <= self.until_us


@dataclass(frozen=True, slots=True)
class Loss:
    """What Envoy answered here may be missing in the lake, since something ended or broke at this moment."""

    during: Window
    broke_us: int


@dataclass(frozen=True, slots=True)
class Offset:
    """How far the node's clock was from the true one, and when."""

    during: Window
    offset_us: int


@dataclass(slots=True)
class Excuses:
    """Everything that is forgiven in one course; each fault adds its own, and what was used is counted."""

    cuts: list[Window] = field(default_factory=list)
    """Connections may be refused and cut off: whoever was, asks again."""
    losses: list[Loss] = field(default_factory=list)
    """Envoy had not flushed it, or could not."""
    offsets: list[Offset] = field(default_factory=list)

    def forgives_cut(self, from_us: int, until_us: int) -> bool:
        """Say whether an attempt that ended without an answer was allowed to."""
        return any(window.meets(from_us, until_us) for window in self.cuts)

    def forgiven_loss(self, from_us: int, until_us: int) -> Loss | None:
        """Return why a request that lasted from then to then may be missing in the lake, if it may.

        Envoy answered and wrote its line at some moment in between: a busy user reads it later.
        """
        return next((loss for loss in self.losses if loss.during.meets(from_us, until_us)), None)

    def true_times(self, seen_us: int) -> list[int]:
        """Return when it may have been that the node's clock showed this."""
        when = [(seen_us - one.offset_us, one) for one in self.offsets]
        return [seen_us, *(at_us for at_us, one in when if one.during.meets(at_us, at_us))]

    def on_the_node(self, from_us: int, until_us: int) -> tuple[int, int]:
        """Return what the node's clock may have shown at the least and at the most."""
        off = [one.offset_us for one in self.offsets if one.during.meets(from_us, until_us)] or [0]
        return from_us + min(off), until_us + max(off)
