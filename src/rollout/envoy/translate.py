"""From placements to everything that Envoy reads while it runs; what it cannot do is refused at the door."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.domain.assignment import Placement
from rollout.envoy.clusters import clusters
from rollout.envoy.document import Configuration
from rollout.envoy.refusals import refuse_impossible
from rollout.envoy.routes import routes
from rollout.envoy.upstreams import Upstreams
from rollout.envoy.weights import weights

__all__ = ["refuse_impossible", "translate"]

NOTHING_NAMED = Upstreams()


def translate(placements: Sequence[Placement], upstreams: Upstreams = NOTHING_NAMED) -> Configuration:
    """Return clusters, routes and weights; raise WrongTraffic with every problem that stands against it.

    `upstreams` says which files the names in the policies mean on this node.
    """
    refuse_impossible(placements, upstreams)
    return Configuration(clusters(placements, upstreams), routes(placements), weights(placements))
