"""What lints clean, the proxy serves: the two rooms never meet, so a test joins them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from rollout.domain.assignment import Leaf, Placement, Split, blocks, leaf_name, route_name
from rollout.domain.layers import allot
from rollout.domain.policy import Policy
from rollout.envoy.translate import translate
from rollout.envoy.upstreams import Upstreams
from rollout.errors import WrongTraffic
from rollout.policyfile.reading import parse, read
from tests.command import ROOT
from tests.policyfile.files import changed

EXAMPLES: Final = sorted((ROOT / "policies").glob("*.yaml"))
NODE: Final = Upstreams({"internal": "ca.pem"}, credential_files={"pricing": "pricing.json"})


def serve(policy: Policy) -> str:
    """Return the routes that the proxy's room makes of a policy; it raises what stands against it."""
    return translate([Placement(policy, 1, Split(), allot(policy, ()))], NODE).routes.text


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_is_served(file: Path) -> None:
    policy = parse(file.read_text(encoding="utf-8"), file.name)
    routes = serve(policy)
    places = [route_name(policy, block.arm, block.number) for block in blocks(policy)]
    places += [leaf_name(policy, leaf) for leaf in (Leaf.REST, Leaf.OUTSIDE, Leaf.PROMOTED)]
    assert [place for place in places if f'"{place}"' not in routes] == []


@pytest.mark.parametrize(("timeout_ms", "fits"), [(599, False), (600, False), (624, False), (625, True)])
def test_both_refuse_the_same_timeouts(timeout_ms: int, *, fits: bool) -> None:
    linted = read(changed("timeout: 3s", f"timeout: {timeout_ms}ms"), "a.yaml").policy
    assert (linted is not None) == fits
    policy = parse(changed("timeout: 3s", "timeout: 30s"), "a.yaml")
    shorter = replace(policy, resilience=replace(policy.resilience, timeout_s=timeout_ms / 1000))
    if fits:
        serve(shorter)
    else:
        with pytest.raises(WrongTraffic):
            serve(shorter)


@pytest.mark.parametrize("path", ["/", "/a", "/a/b", "/a.b/~c", "/a;b=1,2"])
def test_paths_that_lint_can_be_served(path: str) -> None:
    assert f'"{path}"' in serve(parse(changed("path: /churn", f'path: "{path}"'), "a.yaml"))


def test_a_path_that_cannot_be_served_does_not_lint() -> None:
    for path in ("//", "/a//b", "/a/../b", "/a%20b", "/a?b"):
        assert read(changed("path: /churn", f'path: "{path}"'), "a.yaml").policy is None
