"""What a node knows of the names in policies: which file holds the certificates or the secret of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollout.domain.policy import Policy, Version
from rollout.envoy.document import TYPE
from rollout.errors import Problem


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Files by name; a path is absolute, or relative to Envoy's working folder."""

    ca_files: Mapping[str, str] = field(default_factory=dict)
    """PEM files of the certificates that are trusted, by the name that a policy's `tls.ca` says."""
    public_ca_file: str | None = None
    """The machine's own PEM file of public authorities, for addresses in TLS whose policy names none."""
    credential_files: Mapping[str, str] = field(default_factory=dict)
    """Files that `credential_text` wrote, by the name that a policy's `credential` says."""


def credential_text(name: str, value: str) -> str:
    """Return the content of a credential's file: `value` is all that `authorization` will be.

    Whoever writes it lets only its owner read it, and replaces it by a rename, which Envoy notices. So the
    value stands in no configuration that Envoy shows.
    """
    kind = TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"
    secret = {"@type": kind, "name": name, "generic_secret": {"secret": {"inline_string": value}}}
    return json.dumps({"resources": [secret]})


def unknown_names(policy: Policy, upstreams: Upstreams) -> Iterable[Problem]:
    """Return a problem for each name of a policy that this node cannot resolve."""
    versions = (policy.baseline, *policy.candidates)
    for what, name, known in sorted({one for version in versions for one in _names(version, upstreams)}):
        if not known:
            remedy = "name it in the settings of every node, or correct the policy"
            yield Problem(policy.name, f"{what} '{name}' is not known on this node", remedy)
    if upstreams.public_ca_file is None and any(_is_public(version) for version in versions):
        what, remedy = "this node has no certificates of public authorities", "name its own: tls.ca"
        yield Problem(policy.name, f"an address in TLS names no tls.ca, and {what}", remedy)


def ca_file(version: Version, upstreams: Upstreams) -> str | None:
    """Return the certificates that are trusted to vouch for a version, if this node has them."""
    name = version.tls.ca if version.tls is not None else None
    return upstreams.public_ca_file if name is None else upstreams.ca_files.get(name)


def _is_public(version: Version) -> bool:
    return version.url.startswith("https:") and (version.tls is None or version.tls.ca is None)


def _names(version: Version, upstreams: Upstreams) -> Iterable[tuple[str, str, bool]]:
    """Return each name that a version says, with what it names and whether it is known."""
    if version.tls is not None and version.tls.ca is not None:
        yield "tls.ca", version.tls.ca, version.tls.ca in upstreams.ca_files
    if version.credential is not None:
        yield "credential", version.credential, version.credential in upstreams.credential_files
