"""What lints clean, the proxy serves or refuses by name: the two rooms never meet, so a test joins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from rollout.domain.assignment import Placement, Split
from rollout.domain.policy import Policy
from rollout.envoy.not_yet import NOT_YET
from rollout.envoy.translate import translate
from rollout.errors import WrongTraffic
from rollout.policyfile.reading import parse, read
from tests.command import ROOT
from tests.policyfile.files import changed

EXAMPLES: Final = sorted((ROOT / "policies").glob("*.yaml"))
REFUSED: Final[Mapping[str, Sequence[str]]] = {
    "champion": ["http2 of version graph-1"],
    "pricing": [
        "route.host",
        "assignment.holdout",
        "tls of version 2.6",
        "credential of version 2.6",
        "tls of version 3.0",
        "headers of version 3.0",
        "credential of version 3.0",
    ],
    "ranker": ["assignment.layer", "assignment.match", "healthCheck of version 8"],
    "shadow": ["a mirror step"],
}
"""What an example asks for that the proxy refuses; every other example is served."""


def serve(policy: Policy) -> str:
    """Return the routes that the proxy's room makes of a policy; it raises what stands against it."""
    return translate([Placement(policy, 1, Split())]).routes.text


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_is_served_or_refused_by_name(file: Path) -> None:
    policy = parse(file.read_text(encoding="utf-8"), file.name)
    wishes = REFUSED.get(file.stem)
    if wishes is None:
        assert f"{policy.name}/candidate1/1" in serve(policy)
        return
    with pytest.raises(WrongTraffic) as raised:
        serve(policy)
    said = [problem.what for problem in raised.value.problems]
    assert {problem.where for problem in raised.value.problems} == {policy.name}
    assert [what for what in said if what.endswith(NOT_YET)] == [f"{wish} {NOT_YET}" for wish in wishes]
    assert all("not supported yet" in what for what in said)


def test_only_examples_are_expected_to_be_refused() -> None:
    assert REFUSED.keys() < {file.stem for file in EXAMPLES}


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
