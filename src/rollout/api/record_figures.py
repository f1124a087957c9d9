"""Records on their way as Prometheus reads them: what the intake took, nodes lost, and the spool holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from rollout.intake.figures import Taken


@dataclass(frozen=True, slots=True)
class SpoolFigure:
    """How the outcomes of the node in the same process stand."""

    is_writable: bool
    nbytes: int
    """On the disk: what is not handed in yet, and what is in the same files."""
    waiting_bytes: int
    """In memory, not acknowledged yet."""


def intake_families(tables: Iterable[Taken]) -> Sequence[Metric]:
    """Return what came for each table of the lake since this control plane leads."""
    segments = CounterMetricFamily(
        "rollout_intake_segments", "Segments that came, by what became of them.", labels=["kind", "became"]
    )
    rows = CounterMetricFamily("rollout_intake_rows", "Rows filed in the lake.", labels=["kind"])
    size = CounterMetricFamily("rollout_intake_bytes", "Bytes filed in the lake, packed.", labels=["kind"])
    for one in tables:
        for became in ("filed", "refused", "out_of_turn"):
            segments.add_metric([one.kind, became], getattr(one, became))
        rows.add_metric([one.kind], one.rows)
        size.add_metric([one.kind], one.nbytes)
    return segments, rows, size


def lost_families(lost: Mapping[tuple[str, str], int]) -> Sequence[Metric]:
    """Return how many rows each node says it lost, by kind and node."""
    family = GaugeMetricFamily(
        "rollout_lost_rows", "Records that each node lost, as far as they are known.", labels=["node", "kind"]
    )
    for (kind, node), rows in lost.items():
        family.add_metric([node, kind], rows)
    return (family,)


def spool_families(spool: SpoolFigure) -> Sequence[Metric]:
    """Return how the own node's outcomes stand."""
    return (
        GaugeMetricFamily(
            "rollout_outcome_spool_writable", "Whether outcomes can be written down.", value=spool.is_writable
        ),
        GaugeMetricFamily(
            "rollout_outcome_spool_bytes", "Outcomes on the own node's disk.", value=spool.nbytes
        ),
        GaugeMetricFamily(
            "rollout_outcome_spool_waiting_bytes",
            "Outcomes that wait for the disk.",
            value=spool.waiting_bytes,
        ),
    )
