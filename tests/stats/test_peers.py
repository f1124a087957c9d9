"""Every golden case agrees with our own code, none is an orphan, and docs/peers.md tells the truth."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.golden.peers import page
from tests.golden.peers.exchange import BOUNDED, ORACLE, SAME, SAME_BOUND, Case, read_cases
from tests.golden.peers.ours import SOLVERS, disagreement
from tests.golden.peers.questions import FAMILIES, QUESTIONS

_CASES = read_cases()
_RUNNERS = Path(page.__file__).parent / "runners"
_LOCKS = Path(page.__file__).parent / "locks"


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.key)
def test_rollout_agrees_with_its_peer(case: Case) -> None:
    gap = disagreement(case)

    assert gap <= case.bound, f"{gap:.2e} apart, allowed {case.bound:.0e} ({case.relation}): {case.reason}"


def test_there_are_enough_independent_cases() -> None:
    independent = [case for case in _CASES if case.authority != ORACLE]

    assert len(independent) >= 60
    assert len({case.key for case in _CASES}) == len(_CASES)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_an_independent_case(family: str) -> None:
    assert any(case.family == family and case.authority != ORACLE for case in _CASES)


def test_every_family_of_the_statistics_is_asked_about() -> None:
    assert {family.partition(":")[0] for family in FAMILIES} >= {"a", "b", "c", "d", "e", "f", "planning"}


def test_no_case_is_an_orphan() -> None:
    assert [case.key for case in _CASES] == [question.key for question in QUESTIONS]
    assert {case.kind for case in _CASES} == set(SOLVERS)


def test_cases_hold_what_the_questions_ask() -> None:
    for case, question in zip(_CASES, QUESTIONS, strict=True):
        assert (case.inputs, case.bound, case.reason) == (question.inputs, question.bound, question.reason)


def test_every_answer_of_a_peer_is_asked_for() -> None:
    asked = {(case.peer, case.kind) for case in _CASES if case.peer != "printed"}

    assert asked == {(peer, kind) for peer, kinds in _answers().items() for kind in kinds}


def test_only_a_different_formula_has_a_wider_bound_and_a_reason() -> None:
    for case in _CASES:
        if case.relation == SAME:
            assert (case.bound, case.reason) == (SAME_BOUND, "")
        else:
            assert case.relation == BOUNDED
            assert case.bound > SAME_BOUND
            assert case.reason


def test_the_page_says_what_the_code_does() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.rendered(_CASES), (
        "run `make peers ARGS=--write-docs`"
    )


@pytest.mark.parametrize("lock", sorted(_LOCKS.glob("*.lock")), ids=lambda lock: lock.name)
def test_a_lock_hashes_every_package_and_names_no_place(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if "==" in line]

    assert requirements
    assert all(line.endswith("\\") for line in requirements)
    assert not any(word in line for line in lines for word in ("://", "--index", "--find-links", " @ "))


def _answers() -> dict[str, set[str]]:
    """Return the kinds that each runner answers, read without importing a peer."""
    found = {}
    for path in _RUNNERS.glob("ask_*.py"):
        peer = path.stem.removeprefix("ask_").replace("_", "-")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "ANSWERS":
                assert isinstance(node.value, ast.Dict)
                found[peer] = {str(ast.literal_eval(key)) for key in node.value.keys if key is not None}
    return found
