"""Copies: users notice nothing, every candidate is sent its share, and each copy has a line of its own."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from rollout.domain.assignment import CONTROL, Placement, Split
from rollout.domain.policy import Hold, MirrorStep, Version
from rollout.envoy.access_log import ATTEMPT_FIELDS, ATTEMPT_LOG_FILE
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged
from tests.envoy.examples import logged, policy_for, running, until
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

UNITS = 400
REQUESTS = [
    *(Request("/churn", {"x-user-id": f"user-{number}"}) for number in range(UNITS)),
    Request("/churn"),
]
CANDIDATES = ("churn-v2/1/candidate1", "churn-v2/1/candidate2")


def lines_of(file: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file that is being written."""
    whole = file.read_text(encoding="utf-8").rpartition("\n")[0] if file.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]


def copies(proxy: Proxy) -> list[dict[str, Any]]:
    return [one for one in lines_of(proxy.access_log.with_name(ATTEMPT_LOG_FILE)) if one["shadow"]]


def some_of(proxy: Proxy) -> Counter[str]:
    """Return how many copies each candidate was sent after the first round, which copied everything."""
    return Counter(one["served"] for one in copies(proxy)[2 * UNITS :])


def test_every_candidate_is_sent_copies_and_no_user_hears_of_it(tmp_path: Path) -> None:
    record = tmp_path / "record"
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", record=record) as candidate,
        serving("candidate2", status=500, delay_s=0.2) as failing,
        running(tmp_path / "envoy", attempt_log=True) as (proxy, port),
    ):
        named = Version("2", candidate.url.replace("127.0.0.1", "localhost"))
        policy = replace(
            policy_for(baseline.url, candidate.url),
            candidates=(named, Version("3", failing.url)),
            mirror_steps=(MirrorStep(2_500, Hold()), MirrorStep(10_000, Hold())),
        )
        assert isinstance(proxy.publish([Placement(policy, 1, Split(mirror_on=2))]), Acknowledged)
        answers = send(port, REQUESTS)
        assert until(lambda: len(copies(proxy)) == 2 * UNITS)
        everything = copies(proxy)
        assert isinstance(proxy.publish([Placement(policy, 1, Split(mirror_on=1))]), Acknowledged)
        answers += send(port, REQUESTS)
        logs = logged(proxy, len(answers))
        proxy.publish([Placement(policy, 1, Split())])
        answers += send(port, REQUESTS)
        logs = logged(proxy, len(answers))
        assert until(lambda: all(some_of(proxy)[one] > 50 for one in CANDIDATES))
        some = some_of(proxy)
    assert {(one.code, one.seen["name"], one.variant) for one in answers} == {(200, CONTROL, CONTROL)}
    assert Counter(line["route"] for line in logs) == {
        "churn-v2/mirror": 2 * UNITS,
        "churn-v2/rest": UNITS,
        "churn-v2/outside": 3,
    }
    codes = Counter((one["served"], one["code"], one["route"]) for one in everything)
    assert codes == {(CANDIDATES[0], 200, None): UNITS, (CANDIDATES[1], 500, None): UNITS}
    assert all(some[one] < 150 for one in CANDIDATES), some  # a quarter of 400, by chance
    assert {one["id"] for one in everything} <= {line["id"] for line in logs}
    assert all(one.keys() == {field.name for field in ATTEMPT_FIELDS} for one in everything)
    assert all(one["up_us"] > 190_000 for one in everything if one["served"] == CANDIDATES[1])
    copied = lines_of(record)[0]
    assert (copied["x-rollout-shadow"], copied["x-rollout-variant"]) == ("1", "candidate1")
    assert copied["host"] == f"localhost:{candidate.port}"
    assert copied["x-rollout-unit"].startswith("user-")
