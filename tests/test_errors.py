"""The error tree: each says where, what and what to do, and has an exit code."""

import inspect

import pytest

from rollout import errors
from rollout.errors import (
    EXIT_CODE_MEANINGS,
    ExitCode,
    Problem,
    RolloutError,
    WrongSettings,
    choices,
    nearest,
    printable,
)

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, RolloutError)]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_is_drawn_with_its_exit_code(kind: type[RolloutError]) -> None:
    assert errors.__doc__ is not None
    (line,) = [line for line in errors.__doc__.splitlines() if f"{kind.__name__} " in line]
    assert line.endswith(f"exit {kind.exit_code.value}")


@pytest.mark.parametrize("kind", TREE)
def test_every_error_says_where_what_and_what_to_do(kind: type[RolloutError]) -> None:
    assert str(kind(Problem("a.yaml:3", "too large", "lower it"))) == "a.yaml:3: too large; lower it"


def test_several_problems_are_several_lines() -> None:
    error = WrongSettings(Problem("a", "b", "c"), Problem("d", "e", "f"))
    assert str(error) == "a: b; c\nd: e; f"


def test_an_error_without_a_problem_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one problem"):
        RolloutError()


def test_every_exit_code_has_its_meaning() -> None:
    assert set(EXIT_CODE_MEANINGS) == set(ExitCode)
    assert [code.value for code in ExitCode] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("minEfect", "minEffect"),
        ("MINEFFECT", "minEffect"),
        ("marginn", "margin"),
        ("xyzzy", None),
        ("", None),
    ],
)
def test_nearest(wrong: str, expected: str | None) -> None:
    assert nearest(wrong, ["minEffect", "margin", "window"]) == expected


def test_choices() -> None:
    assert choices(["a"]) == "a"
    assert choices(["a", "b", "c"]) == "a, b or c"


def test_printable_keeps_words_and_writes_out_the_rest() -> None:
    assert printable("θ 日本語 é") == "θ 日本語 é"
    assert printable("a\x1b[31m\n\u202e") == "a\\x1b[31m\\n\\u202e"
