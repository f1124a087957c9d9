"""Ranges of a layer over real HTTP: allotted at the start, kept by a revision, free again at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from rollout.domain.buckets import Range
from rollout.domain.experiment import Phase
from tests.api.control import POLICY, TOKEN, House, house
from tests.api.test_experiments import EXPERIMENTS, problem

SALT = "salt: churn-2026q4"


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as served:
        yield served


@pytest.fixture(name="http")
def _http(served: House) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=served.url, trust_env=False, headers=headers) as http:
        yield http


def layered(name: str, share: str, *, salt: str = "", layer: str = "retention") -> str:
    """Return the example policy under another name, with a share of a layer."""
    assert SALT in POLICY
    owned = f"salt: {salt or name}, layer: {{name: {layer}, share: {share}}}"
    named = POLICY.replace("name: churn-v2", f"name: {name}")
    return named.replace("path: /churn", f"path: /{name}").replace(SALT, owned)


def start(http: httpx.Client, text: str) -> httpx.Response:
    return http.post(EXPERIMENTS, params={"file": "policy.yaml"}, content=text)


def ranges(served: House) -> dict[str, Range | None]:
    return {run.experiment.policy.name: run.experiment.layer_range for run in served.ledger.runs()}


def end(served: House, name: str, phase: Phase = Phase.ROLLED_BACK) -> None:
    run = next(run for run in served.ledger.runs() if run.experiment.policy.name == name)
    assert served.ledger.record(run, replace(run.experiment, phase=phase), None)


def test_ranges_are_allotted_in_the_order_of_the_starts_and_free_at_the_end(
    served: House, http: httpx.Client
) -> None:
    assert start(http, layered("a", "40%")).status_code == 201
    answer = start(http, layered("b", "30%"))
    assert answer.json()["experiment"]["layer"] == {"name": "retention", "lo": 4000, "hi": 7000}
    refused = problem(start(http, layered("c", "50%")), 409)
    assert refused["what"] == "layer 'retention' has 30% free, and 50% is asked for"
    assert refused["remedy"] == "ask for at most 30%, or wait until one of these ends: a, b"
    assert start(http, layered("d", "90%", layer="other")).status_code == 201
    for phase in (Phase.WATCHING, Phase.ACTION_FAILED):
        end(served, "a", phase)
        assert start(http, layered("c", "50%")).status_code == 409, "it has not ended yet"
    end(served, "a")
    assert start(http, layered("c", "40%")).status_code == 201
    assert ranges(served) == {
        "a": Range(0, 4_000),
        "b": Range(4_000, 7_000),
        "c": Range(0, 4_000),
        "d": Range(0, 9_000),
    }


def test_a_revision_keeps_its_range_and_grows_only_into_what_is_free(
    served: House, http: httpx.Client
) -> None:
    for name in ("a", "b"):
        assert start(http, layered(name, "40%")).status_code == 201
    assert start(http, layered("b", "40%").replace("12h", "6h")).json()["change"] == "new-revision"
    assert ranges(served)["b"] == Range(4_000, 8_000)
    assert start(http, layered("b", "60%")).status_code == 200
    assert ranges(served)["b"] == Range(4_000, 10_000)
    assert problem(start(http, layered("a", "50%")), 409)["what"].startswith("layer 'retention' has 40% free")
    assert ranges(served)["a"] == Range(0, 4_000)


def test_one_salt_is_for_policies_of_one_layer_alone(served: House, http: httpx.Client) -> None:
    assert start(http, layered("a", "40%", salt="same")).status_code == 201
    assert start(http, layered("b", "40%", salt="same")).status_code == 201
    refused = problem(start(http, layered("c", "40%", salt="same", layer="other")), 409)
    assert refused["what"] == "a has the salt 'same' too"
    assert set(ranges(served)) == {"a", "b"}
