"""From the settings to the terms of a node, for the verbs that run one."""

from typing import TYPE_CHECKING

from rollout.errors import Problem, WrongSettings

if TYPE_CHECKING:
    from rollout.agent.terms import Terms
    from rollout.api.tls import Tls
    from rollout.client.addresses import Trust
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
    return Terms(
        reporting,
        keeping,
        named,
        _metrics(settings),
        post,
        settings.open_metrics,
        _tls(settings),
        trust_in(settings),
    )


def trust_in(settings: "Settings") -> "Trust | None":
    """Return by what the control plane's certificate is checked, if not by this machine's authorities."""
    from rollout.client.addresses import Trust

    return None if settings.control_ca_file is None else Trust(settings.control_ca_file.expanduser())


def _tls(settings: "Settings") -> "Tls | None":
    from rollout.api.tls import Tls

    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        what, remedy = "one is set without the other", "set both, or neither"
        raise WrongSettings(Problem("tls_certificate_file and tls_key_file", what, remedy))
    return Tls(certificate.expanduser(), key.expanduser())


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
