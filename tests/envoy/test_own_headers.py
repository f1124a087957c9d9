"""What one version is sent and no other: its headers and its secret, also when the baseline helps out."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.domain.assignment import CONTROL
from rollout.domain.policy import Hold, MirrorStep, Policy, Version
from rollout.envoy.publication import Acknowledged
from rollout.envoy.upstreams import Upstreams, credential_text
from tests.envoy.examples import logged, placed, policy_for, running, shown, until
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

SECRET = "Bearer secret-of-the-candidate"  # noqa: S105 (of this test)
OWN = {"x-key": 'candidate "100%"', "x-both": "candidate"}
CLIENT = {"x-key": "client", "x-book": "client", "x-both": "client", "authorization": "Bearer client"}
ABOUT = tuple(CLIENT)
BASELINES = {"x-book": "baseline", "x-both": "baseline"}


def policy_with_secrets(baseline: str, candidate: str) -> Policy:
    return replace(
        policy_for(baseline, candidate),
        baseline=Version("1", baseline, headers=BASELINES),
        candidates=(Version("2", candidate, headers=OWN, credential="candidate"),),
        mirror_steps=(MirrorStep(10_000, Hold()),),
    )


def node(folder: Path) -> Upstreams:
    """Return what a node knows, with the secret in a file that only its owner reads."""
    folder.mkdir()
    file = folder / "secret.json"
    file.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    file.write_text(credential_text("candidate", SECRET))
    return Upstreams(credential_files={"candidate": str(file)})


def about(headers: dict[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in ABOUT if name in headers}


@pytest.mark.parametrize("sent", [CLIENT, {}], ids=["the client sends its own", "the client sends none"])
def test_nothing_leaks_to_another_version(sent: dict[str, str], tmp_path: Path) -> None:
    asked = Request("/churn", {"x-user-id": "somebody", **sent})
    of_candidate = {**about(sent), **OWN, "authorization": SECRET}
    of_baseline = {**about(sent), **BASELINES}
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", record=tmp_path / "good.received") as good,
        serving("candidate1", status=503, record=tmp_path / "failing.received") as failing,
        running(tmp_path / "envoy", upstreams=node(tmp_path / "secrets")) as (proxy, port),
    ):
        policies = [policy_with_secrets(baseline.url, one.url) for one in (good, failing)]
        for policy, expected in zip(policies, (of_candidate, of_baseline), strict=True):
            assert isinstance(proxy.publish([placed(policy, is_promoted=True)]), Acknowledged)
            answer = send(port, [asked])[0]
            assert about(answer.seen["headers"]) == expected
            assert not [name for name in answer.seen["headers"] if "kept" in name]
        proxy.publish([placed(policies[0])])
        assert about(send(port, [asked])[0].seen["headers"]) == of_baseline
        written = [file.read_text() for file in (tmp_path / "envoy").iterdir() if file.is_file()]
        dumped = shown(tmp_path / "envoy", "/config_dump")
    seen = json.loads((tmp_path / "failing.received").read_text())
    assert about(seen) == of_candidate
    assert SECRET not in "".join([*written, dumped])


@pytest.mark.parametrize("sent", [CLIENT, {}], ids=["the client sends its own", "the client sends none"])
def test_a_copy_is_sent_what_its_version_is_sent(sent: dict[str, str], tmp_path: Path) -> None:
    record = tmp_path / "copies.received"
    asked = Request("/churn", {"x-user-id": "somebody", **sent})
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", record=record) as candidate,
        running(tmp_path / "envoy", upstreams=node(tmp_path / "secrets")) as (proxy, port),
    ):
        policy = policy_with_secrets(baseline.url, candidate.url)
        placement = placed(policy)
        placement = replace(placement, split=replace(placement.split, mirror_on=1))
        assert isinstance(proxy.publish([placement]), Acknowledged)
        answer = send(port, [asked])[0]
        assert until(record.exists)
        line = logged(proxy, 1)[0]
    assert about(answer.seen["headers"]) == {**about(sent), **BASELINES}
    assert line["route"] == "churn-v2/mirror"
    copied = json.loads(record.read_text())
    assert about(copied) == {**about(sent), **OWN, "authorization": SECRET}
    assert not [name for name in copied if "kept" in name]
