"""Policies side by side: what belongs to one of them only."""

from __future__ import annotations

from rollout.policyfile.collisions import collisions
from rollout.policyfile.finding import worded
from rollout.policyfile.reading import Reading, read
from tests.policyfile.files import GOOD, changed

OTHER = changed(
    "name: churn-v2", "name: ranker", changed("/churn", "/rank", changed("churn-2026q4", "rank-1"))
)


def found(*texts: str) -> list[str]:
    readings: list[Reading] = [read(text, f"{name}.yaml") for name, text in zip("abc", texts, strict=False)]
    return [worded(finding) for finding in collisions(readings)]


def test_different_policies_are_fine() -> None:
    assert found(GOOD, OTHER) == []


def test_a_path_below_another_is_fine() -> None:
    assert found(GOOD, changed("/rank", "/churn/v2", OTHER)) == []


def test_one_route_twice() -> None:
    assert found(GOOD, changed("/rank", "/churn", OTHER)) == [
        (
            "b.yaml:5: spec.route.path: two policies with one route: a.yaml:5 has it too (got /churn); "
            "give each policy a route of its own"
        )
    ]


def test_one_salt_twice_and_a_salt_that_is_another_policys_name() -> None:
    (salt,) = found(GOOD, changed("rank-1", "churn-2026q4", OTHER))
    assert salt.startswith("b.yaml:8: spec.assignment.salt: two policies with one salt: a.yaml:8 has it too")
    (default,) = found(changed("churn-2026q4", "ranker"), changed(", salt: rank-1", "", OTHER))
    assert default.startswith("b.yaml:8: spec.assignment.salt: two policies with one salt")


def test_the_same_policy_thrice() -> None:
    once = changed(", salt: churn-2026q4", "")
    assert [sentence.partition(": two")[0] for sentence in found(once, once, once)] == [
        "b.yaml:3: metadata.name",
        "b.yaml:5: spec.route.path",
        "c.yaml:3: metadata.name",
        "c.yaml:5: spec.route.path",
    ]


def test_a_wrong_file_claims_nothing() -> None:
    assert found(GOOD, changed("minEffect", "minEfect"), "a: [") == []


def in_layer(text: str, share: str, name: str = "search") -> str:
    return changed("salt:", f"layer: {{name: {name}, share: {share}}}, salt:", text)


THIRD = changed("name: churn-v2", "name: third", changed("/churn", "/third", changed("churn-2026q4", "t-1")))


def test_a_layer_beyond_all_is_named_where_it_overflows() -> None:
    policies = in_layer(GOOD, "50%"), in_layer(OTHER, "40%"), in_layer(THIRD, "10.01%")
    assert found(*policies) == [
        (
            "c.yaml:8: spec.assignment.layer.share: layer search has only 10% left beside the other policies "
            "(got 10.01%); lower the shares until they fit into 100%"
        )
    ]
    assert found(*policies[:2], in_layer(THIRD, "10%")) == []
    assert found(*policies[:2], in_layer(THIRD, "100%", "another")) == []


def test_a_layer_that_is_full_has_nothing_left() -> None:
    (overflow,) = found(in_layer(GOOD, "100%"), in_layer(OTHER, "1%"))
    assert overflow.startswith("b.yaml:8: spec.assignment.layer.share: layer search has only 0% left")


def test_policies_of_one_layer_may_share_a_salt_but_not_their_units() -> None:
    one, other = in_layer(GOOD, "50%"), in_layer(changed("rank-1", "churn-2026q4", OTHER), "50%")
    assert found(one, other) == []
    assert found(one, changed("header:x-user-id", "header:x-account", other)) == [
        (
            "b.yaml:8: spec.assignment.unit: layer search sorts other units: a.yaml:8 has header:x-user-id "
            "(got 'header:x-account'); give all policies of a layer one unit"
        )
    ]


def test_one_path_on_two_hosts_is_fine_and_one_host_twice_is_not() -> None:
    one = changed("{path: /third}", "{host: a.example.com}", THIRD)
    other = changed("{path: /rank}", "{host: b.example.com}", OTHER)
    assert found(changed("{path: /churn}", "{path: /}"), one, other) == []
    same = changed("{path: /rank}", "{host: a.example.com, path: /}", OTHER)
    assert found(one, same) == [
        (
            "b.yaml:5: spec.route.path: two policies with one route: a.yaml:5 has it too (got /); "
            "give each policy a route of its own"
        )
    ]
