"""Every fault, with what a user of the broken thing would see."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from tests.e2e.models import Manner
from tests.faults import candidate, ends, surroundings
from tests.faults.stage import Need
from tests.faults.strike import Fault

NOTHING: Final = "Nothing: the baseline answers in its place."
AWAY: Final = "Nothing: outcomes are acknowledged by the node, and records wait on its disk."
FAULTS: Final[Mapping[str, Fault]] = {
    "candidate-killed": Fault("candidate killed (`kill -9`)", NOTHING, candidate.killed),
    "candidate-hung": Fault(
        "candidate hung (`SIGSTOP`)",
        "One slow answer each: the baseline's, after a try's time.",
        candidate.hung,
        dwell_s=(1.3, 1.8),
    ),
    "candidate-slow": Fault(
        "candidate slower than a try may take",
        "The same: the baseline's answer, after a try's time.",
        partial(candidate.behaves, Manner.SLOW),
        dwell_s=(1.3, 1.8),
    ),
    "candidate-failing": Fault("candidate answers 500", NOTHING, partial(candidate.behaves, Manner.FAILING)),
    "candidate-limiting": Fault(
        "candidate answers 429", NOTHING, partial(candidate.behaves, Manner.LIMITING)
    ),
    "candidate-resetting": Fault(
        "candidate resets connections in the middle of a head",
        NOTHING,
        partial(candidate.behaves, Manner.RESETTING),
    ),
    "candidate-half-closed": Fault(
        "candidate half-closes connections without an answer",
        NOTHING,
        partial(candidate.behaves, Manner.HALF_CLOSED),
    ),
    "candidate-hanging-up": Fault(
        "candidate closes connections that it promised to keep",
        "Nothing: what was sent into the closing is asked again.",
        partial(candidate.behaves, Manner.HANGING_UP),
    ),
    "envoy-killed": Fault(
        "Envoy killed (`kill -9`)",
        "Broken and refused connections for a moment; whoever asks again is answered.",
        ends.envoy_killed,
    ),
    "node-killed": Fault(
        "`rollout proxy` killed (`kill -9`)",
        "Refused connections until it is started again.",
        ends.node_killed,
    ),
    "node-killed-alone": Fault(
        "`rollout proxy` killed while the control plane is gone",
        "The same: it begins with what is on its disk.",
        ends.node_killed_alone,
    ),
    "snapshot-damaged": Fault(
        "`rollout proxy` killed, and garbage written over its snapshot",
        "The same: Envoy begins with the files that it took last.",
        ends.snapshot_damaged,
    ),
    "snapshot-garbled": Fault(
        "garbage instead of snapshots from the control plane",
        "Nothing: what is served stays.",
        ends.snapshot_garbled,
        dwell_s=(0.5, 1.5),
    ),
    "control-killed": Fault("control plane killed (`kill -9`)", AWAY, ends.control_killed),
    "control-frozen": Fault(
        "control plane frozen (`SIGSTOP`)", AWAY, ends.control_frozen, dwell_s=(0.5, 1.5)
    ),
    "wire-cut": Fault("network between node and control plane cut", AWAY, ends.wire_cut, dwell_s=(0.5, 1.5)),
    "log-renamed": Fault(
        "Envoy's log renamed", "Nothing, and no line is lost.", surroundings.log_renamed, dwell_s=(0.3, 1.0)
    ),
    "log-truncated": Fault(
        "Envoy's log truncated",
        "Nothing; the lines of the last moment are gone, which is counted as a loss.",
        surroundings.log_truncated,
        dwell_s=(0.3, 1.0),
    ),
    "log-deleted": Fault(
        "Envoy's log deleted",
        "Nothing; the lines of the last moment are gone, which is counted as a loss.",
        surroundings.log_deleted,
        dwell_s=(0.3, 1.0),
    ),
    "node-disk-full": Fault(
        "the node's disk full",
        "Nothing; outcomes are refused until there is room, and requests are not written down.",
        surroundings.node_disk_full,
        dwell_s=(0.5, 1.5),
        needs=Need.DISK,
    ),
    "control-disk-full": Fault(
        "the control plane's disk full",
        AWAY,
        surroundings.control_disk_full,
        dwell_s=(0.5, 1.5),
        needs=Need.DISK,
    ),
    "clock-set": Fault(
        "clock set, 3 s or an hour forward or back",
        "Nothing; outcomes of the future are refused until the clock is right.",
        surroundings.clock_set,
        dwell_s=(0.3, 1.0),
        needs=Need.CLOCK,
    ),
}
