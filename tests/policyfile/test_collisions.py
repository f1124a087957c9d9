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
