"""Where a control plane looks: records, polls, and the outcomes that its runs ask for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from rollout.agent.terms import Terms
from rollout.api.told import Wanted, wanted
from rollout.controller.sights import Sight, Sights
from rollout.controller.sources import BothSources
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge
from rollout.intake.evidence import RecordedEvidence
from rollout.intake.polled import PolledEvidence
from rollout.lake.accounts.books import Books
from rollout.ports import EvidenceSource
from rollout.prometheus.client import Prometheus
from rollout.store.counts import Counts
from rollout.store.ledger import SqlLedger
from rollout.wiring.parts import STOPS_WITHIN_S, now_us


@dataclass(frozen=True, slots=True)
class Sources:
    """All evidence, and that part of it which is recorded."""

    all: BothSources
    recorded: RecordedEvidence


def open_sources(held: ExitStack, terms: Terms, counts: Counts, books: Books, patience: Patience) -> Sources:
    """Return where evidence comes from; what is still asked when the stack ends is waited for."""
    recorded = RecordedEvidence(counts, books, patience=patience)
    held.callback(recorded.finish, STOPS_WITHIN_S)
    polled = PolledEvidence(None if terms.metrics is None else Prometheus(terms.metrics))
    held.callback(polled.finish, STOPS_WITHIN_S)
    return Sources(BothSources(recorded, polled), recorded)


def sight_of(sights: Sights, evidence: EvidenceSource, patience: Patience, experiment: Experiment) -> Sight:
    """Return the loop's newest look at a run; of one that it looks at no more, what is known now."""
    known = sights.of(experiment)
    if known is not None:
        return known
    at_us = now_us()
    observed = evidence.observe(experiment, at_us).evidence
    return Sight(at_us, experiment, observed, judge(experiment, observed, at_us, patience))


def wanted_by(ledger: SqlLedger) -> Wanted:
    """Return the outcomes that some run's policy asks for."""
    return wanted(metric for run in ledger.runs() for metric in run.experiment.policy.metrics)
