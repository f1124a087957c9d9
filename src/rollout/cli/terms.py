"""From the settings to the terms of a node, for the verbs that run one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.agent.terms import Terms
    from rollout.settings.settings import Settings


def terms_in(settings: "Settings") -> "Terms":
    """Return the terms that are set."""
    from rollout.agent.names import Named
    from rollout.agent.terms import Terms
    from rollout.api.allowance import Reporting
    from rollout.lake.keeping import MIB, Keeping

    reporting = Reporting(
        tokens_file=settings.app_tokens_file and settings.app_tokens_file.expanduser(),
        per_s=settings.outcome_rate,
        burst=settings.outcome_burst,
    )
    keeping = Keeping(
        exposures_days=settings.keep_exposures_days,
        outcomes_days=settings.keep_outcomes_days,
        largest_unsent=settings.unsent_limit_mib * MIB,
        accounts_memory=settings.evidence_memory_mib * MIB,
        counted_rows=settings.counted_rows_limit,
    )
    return Terms(
        reporting, keeping, Named(settings.ca_files, settings.credential_files, settings.public_ca_file)
    )
