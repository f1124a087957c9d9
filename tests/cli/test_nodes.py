"""`rollout nodes` against a control plane that really listens: one line for each node, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.client.nodes import DegradationState, LossState, NodeState, RefusedState
from tests.api.control import TOKEN
from tests.api.test_nodes import FIRST, Nodes, opening
from tests.command import run


@pytest.fixture(name="plane")
def _plane(tmp_path: Path) -> Iterator[Nodes]:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with opening(tmp_path, token=TOKEN) as plane:
        yield plane


def nodes(plane: Nodes, folder: Path, *options: str) -> str:
    settings = {"ROLLOUT_CONTROL_URL": plane.url, "ROLLOUT_TOKEN_FILE": str(folder / "token")}
    result = run("nodes", *options, home=folder, **settings)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_without_a_node_it_says_how_to_get_one(plane: Nodes, tmp_path: Path) -> None:
    assert nodes(plane, tmp_path).startswith("no node has said how it stands; `rollout proxy")


def test_what_is_wrong_on_a_node_is_a_sentence_each(plane: Nodes, tmp_path: Path) -> None:
    plane.fleet.publish((FIRST,))
    failed = DegradationState(
        experiment="churn-v2",
        revision=1,
        arm="candidate1",
        fallbacks={"try-timeout": 30, "5xx": 7},
        ejections=2,
        hosts=2,
        healthy_hosts=1,
        open_breakers=("requests",),
    )
    loss = LossState(experiment="churn-v2", revision=1, kind="exposures", rows=12, from_us=1, to_us=2)
    refused = RefusedState(experiment="churn-v2", reason="bad\x1b[31mroute")
    plane.fleet.told(
        "b",
        NodeState(envoy_starts=3, losses=(loss,), refused=(refused,), degradation=(failed,)),
    )
    plane.fleet.told("a", NodeState(envoy_starts=1))
    header, first, second, empty, *wrong = nodes(plane, tmp_path).splitlines()
    assert header.split() == ["NODE", "STANDS", "SEEN", "SERVES", "REFUSES", "LOST", "ENVOY"]
    assert (first.split()[:2], first.split()[-2:]) == (["a", "behind"], ["started", "once"])
    assert (second.split()[:2], second.split()[-3:]) == (["b", "behind"], ["started", "3", "times"])
    assert second.split()[-6:-3] == ["0", "1", "12"]
    assert empty == ""
    assert wrong == [
        "b refuses churn-v2: bad\\x1b[31mroute",
        "b lost 12 exposures of churn-v2, revision 1: nothing is concluded from that time",
        (
            "b: churn-v2, revision 1, candidate1: 30 per-try timeouts, 7 answers of 500 and above, "
            "a host ejected 2 times, 1 of 2 hosts out now, at their limit: requests"
        ),
    ]
    document = json.loads(nodes(plane, tmp_path, "-o", "json"))
    assert [one["name"] for one in document["nodes"]] == ["a", "b"]
    assert document["nodes"][1]["state"]["degradation"][0]["fallbacks"] == {"try-timeout": 30, "5xx": 7}
