"""Where the metrics of a control plane are looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from rollout.agent.spool import Spool
from rollout.api.figures import FeedFigure, NodeFigure, ReceiverFigure, Sources
from rollout.api.record_figures import SpoolFigure
from rollout.controller.figures import Figures
from rollout.fleet.fleet import Fleet
from rollout.intake.figures import Taken
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.deliveries import Deliveries
from rollout.store.ledger import SqlLedger
from rollout.wiring.parts import now_us


def sources_of(  # noqa: PLR0913 (each is one thing that is looked at)
    database: Database,
    ledger: SqlLedger,
    fleet: Fleet,
    counts: Counts,
    *,
    loop: Callable[[], Figures | None] = lambda: None,
    intake: Callable[[], Iterable[Taken]] = tuple,
    spool: Spool | None = None,
) -> Sources:
    """Return where what is known of the parts of a control plane is looked up."""
    return Sources(
        runs=lambda: (run.experiment for run in ledger.runs()),
        nodes=partial(_nodes, fleet),
        feeds=partial(_feeds, counts),
        receivers=partial(_receivers, Deliveries(database)),
        intake=intake,
        lost=counts.lost_rows,
        spool=lambda: None if spool is None else _spool(spool),
        loop=loop,
    )


def _spool(spool: Spool) -> SpoolFigure:
    return SpoolFigure(not spool.is_spoiled, spool.nbytes, spool.waiting_bytes)


def _nodes(fleet: Fleet) -> Iterator[NodeFigure]:
    for seen, is_silent, is_live in fleet.nodes():
        heard_s = None if seen.at_us is None else max(now_us() - seen.at_us, 0) / 1e6
        yield NodeFigure(seen.name, is_live, is_silent, heard_s)


def _feeds(counts: Counts) -> Iterator[FeedFigure]:
    for feed in counts.feeds():
        lag_s = None if feed.watermark_us is None else max(now_us() - feed.watermark_us, 0) / 1e6
        yield FeedFigure(feed.name, feed.kind, lag_s, feed.bad_lines)


def _receivers(deliveries: Deliveries) -> Iterator[ReceiverFigure]:
    for one in deliveries.figures(now_us()):
        yield ReceiverFigure(one.receiver, one.waiting, one.failures, one.sent, one.gave_up)
