"""What a node is set to: who may report outcomes, how long records are kept, what names in policies mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout.agent.names import Named
from rollout.api.allowance import Reporting
from rollout.api.tls import Tls
from rollout.client.addresses import Trust
from rollout.lake.keeping import Keeping
from rollout.notify.receivers import Post
from rollout.prometheus.server import Server


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that a node's settings say of its work; by default, what the settings say by default."""

    reporting: Reporting = field(default_factory=Reporting)
    keeping: Keeping = field(default_factory=Keeping)
    named: Named = field(default_factory=Named)
    metrics: Server | None = None
    """The metrics server that a control plane polls."""
    post: Post = field(default_factory=Post)
    open_metrics: bool = False
    """Whether `/metrics` is told to anybody."""
    tls: Tls | None = None
    """What our own listeners speak TLS with; without it they speak plain HTTP."""
    trust: Trust | None = None
    """By what a control plane's certificate is checked."""
