"""From the settings to the terms of a node, for the verbs that run one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.agent.terms import Terms
    from rollout.prometheus.server import Server
    from rollout.settings.settings import Settings


def terms_in(settings: "Settings") -> "Terms":
    """Return the terms that are set."""
    from rollout.agent.names import Named
    from rollout.agent.terms import Terms
    from rollout.api.allowance import Reporting
    from rollout.lake.keeping import MIB, Keeping
    from rollout.notify.receivers import Post

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
    named = Named(settings.ca_files, settings.credential_files, settings.public_ca_file)
    post = Post(settings.receivers_file and settings.receivers_file.expanduser(), settings.public_url)
    return Terms(reporting, keeping, named, _metrics(settings), post, settings.open_metrics)


def _metrics(settings: "Settings") -> "Server | None":
    from rollout.prometheus.server import Server

    if settings.prometheus_url is None:
        return None
    token, file = settings.prometheus_token, settings.prometheus_token_file
    return Server(
        url=settings.prometheus_url,
        timeout_s=settings.prometheus_timeout_s,
        token=None if token is None else token.get_secret_value(),
        token_file=file and file.expanduser(),
        headers={name: value.get_secret_value() for name, value in settings.prometheus_headers.items()},
        ca_file=settings.prometheus_ca_file and settings.prometheus_ca_file.expanduser(),
    )
