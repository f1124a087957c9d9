"""The door: what the proxy cannot do is refused by name, with every problem at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from rollout.domain.assignment import Placement, Split
from rollout.domain.policy import Condition, Resilience, Tls, Version
from rollout.domain.policy import Test as Asks
from rollout.envoy.translate import refuse_impossible, translate
from rollout.envoy.upstreams import Upstreams
from rollout.errors import WrongTraffic
from tests.domain.examples import POLICY

URL = "http://models.example:8000"
HTTPS = "https://models.example"


def refused(*placements: Placement, upstreams: Upstreams | None = None) -> list[str]:
    with pytest.raises(WrongTraffic) as error:
        refuse_impossible(placements, upstreams)
    return [problem.what for problem in error.value.problems]


def version(**changes: object) -> dict[str, Any]:
    return {"candidates": (replace(Version("2", URL), **cast("Any", changes)),)}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (version(url="models.example:80"), "not of the form http://host:port"),
        (version(url="ftp://models.example"), "not of the form http://host:port"),
        (version(url="http://models.example/v1"), "more than a host and a port"),
        (version(url="http://models.example:99999"), "Port out of range"),
        (version(tls=Tls()), "tls is asked for"),
        (version(headers={"x_key": "1"}), "cannot be set"),
        (version(headers={"x-rollout-unit": "1"}), "cannot be set"),
        (version(headers={"Host": "other"}), "cannot be set"),
        (version(headers={"Authorization": "secret"}), "cannot be set"),
        (version(headers={"x-key": "a\r\nx-evil: 1"}), "no value that can be sent"),
        (version(headers={"x-key": ""}), "no value that can be sent"),
        (version(health_check="healthz"), "is no path"),
        (version(health_check="/a b"), "is no path"),
        ({"unit_header": "x-rollout-unit"}, "cannot arrive"),
        ({"unit_header": "user_id"}, "cannot arrive"),
        ({"unit_header": "Authorization"}, "holds a secret"),
        ({"unit_header": "cookie"}, "holds a secret"),
        ({"match": (Condition("X-Rollout-Tier", Asks.PRESENT),)}, "cannot arrive"),
        ({"match": (Condition("x_tier", Asks.PRESENT),)}, "cannot arrive"),
        ({"match": (Condition("x-tier", Asks.IN),)}, "allows no value"),
        ({"match": (Condition("x-tier", Asks.PREFIX),)}, "allows no value"),
        ({"path": "churn"}, "never what a request asks for"),
        ({"path": "/churn//x"}, "never what a request asks for"),
        ({"path": "/churn/../x"}, "never what a request asks for"),
        ({"host": "*.example"}, "never what a request names"),
        ({"host": "churn.example:80"}, "never what a request names"),
        ({"name": "churn/v2"}, "not made of letters"),
        ({"resilience": Resilience(timeout_s=0.5, per_try_timeout_s=0.3)}, "leaves the baseline no time"),
        ({"candidates": ()}, "has no candidate"),
    ],
)
def test_what_the_proxy_cannot_do_is_refused(changes: dict[str, Any], complaint: str) -> None:
    [said] = refused(Placement(replace(POLICY, **changes), 1, Split()))
    assert complaint in said


def test_every_problem_is_told_at_once() -> None:
    policy = replace(POLICY, name="a b", path="x", unit_header="y_z")
    assert len(refused(Placement(policy, 1, Split()))) == 3


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (version(url=HTTPS, tls=Tls(ca="unheard-of")), "tls.ca 'unheard-of' is not known on this node"),
        (version(credential="unheard-of"), "credential 'unheard-of' is not known on this node"),
        (version(url=HTTPS), "no certificates of public authorities"),
        (version(url=HTTPS, tls=Tls(server_name="a.example")), "no certificates of public authorities"),
    ],
)
def test_a_name_that_the_node_does_not_know_is_refused_there_alone(
    changes: dict[str, Any], complaint: str
) -> None:
    placement = Placement(replace(POLICY, **changes), 1, Split())
    [said] = refused(placement, upstreams=Upstreams({"internal": "ca.pem"}))
    assert complaint in said
    refuse_impossible([placement])  # a control plane does not know what a node knows
    translate(
        [placement],
        Upstreams(
            {"unheard-of": "ca.pem"}, public_ca_file="all.pem", credential_files={"unheard-of": "c.json"}
        ),
    )


def test_a_candidate_that_is_not_there_cannot_win() -> None:
    assert refused(Placement(POLICY, 1, Split(is_promoted=True, winner=2))) == [
        "candidate 2 cannot win: there are 1"
    ]


def placed(name: str, path: str = "/churn", host: str | None = None) -> Placement:
    return Placement(replace(POLICY, name=name, path=path, host=host), 1, Split())


def test_one_path_of_one_host_has_one_owner() -> None:
    assert refused(placed("a"), placed("b", path="/churn/")) == ["2 experiments have this path"]
    named = [placed(name, host=host) for name, host in (("a", "One.example"), ("b", "one.example"))]
    assert refused(*named) == ["2 experiments have this path"]
    assert refused(placed("a", path="/a"), placed("a", path="/b")) == ["2 experiments have this name"]
    refuse_impossible([placed("a"), placed("b", host="one.example"), placed("c", host="two.example")])
