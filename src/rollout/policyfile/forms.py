"""How a value is written: its form, the refusal of every other, and the few words that a key may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from rollout.errors import choices, nearest
from rollout.policyfile.finding import did_you_mean
from rollout.policyfile.nodes import Scalar


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written; stands beside its type, for errors, the reference page and the JSON Schema."""

    text: str
    kind: str = "string"
    """What YAML reads it as."""
    pattern: str | None = None
    words: tuple[str, ...] = ()
    """All that it may be."""
    examples: tuple[str | float | bool, ...] = ()


class Unfit(ValueError):
    """A value that its key cannot take."""

    def __init__(self, what: str, remedy: str | None = None, *, shows_value: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.shows_value = shows_value


def scalar_of(value: object, form: str) -> Scalar:
    """Return what is written at a leaf; refuse lists, keys and nothing."""
    if not isinstance(value, Scalar) or value.is_null:
        raise Unfit(f"must be {form}")
    return value


Word = TypeVar("Word", bound=StrEnum)


def one_of(
    words: Iterable[Word], where: str = "", later: Mapping[str, tuple[str, str]] | None = None
) -> Callable[[object], Word]:
    """Return the function that takes one of a few words, and guesses which was meant by another.

    `where` says under which circumstance, `later` what is said of words that will be
    known one day, and what to do until then.
    """
    known = {word.value: word for word in words}

    def word_of(value: object) -> Word:
        form = f"{choices(known)}{where}"
        found = scalar_of(value, form).text
        if later and found in later:
            raise Unfit(*later[found])
        if found not in known:
            raise Unfit(f"must be {form}", did_you_mean(nearest(found, known)))
        return known[found]

    return word_of
