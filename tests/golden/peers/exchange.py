"""What passes between questions, peers and our own code: inputs, answers, golden cases, as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

CASES: Final = Path(__file__).parent / "cases.json"
SAME: Final = "same formula"
BOUNDED: Final = "bounded"
SAME_BOUND: Final = 1e-9
"""The largest relative disagreement where the formula is the same."""

PEER: Final = "peer"
PAPER: Final = "paper"
ORACLE: Final = "oracle"
"""The printed formula in many digits: proof of our arithmetic, not of the formula; it counts apart."""
PRINTED: Final = "printed"
ORACLE_PEER: Final = "mpmath"

Answer = dict[str, float]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of one question, read by name and checked on the way out."""

    given: Mapping[str, object]

    def number(self, name: str) -> float:
        """Return one number."""
        return _number(self.given[name])

    def number_or(self, name: str, default: float) -> float:
        """Return one number, or the default where the question leaves it out."""
        return self.number(name) if name in self.given else default

    def integer(self, name: str) -> int:
        """Return one whole number."""
        return int(self.number(name))

    def text(self, name: str) -> str:
        """Return one word."""
        value = self.given[name]
        if not isinstance(value, str):
            raise TypeError(f"{name}: must be a word (got {value!r})")
        return value

    def numbers(self, name: str) -> list[float]:
        """Return a list of numbers."""
        return [_number(item) for item in _items(self.given[name])]

    def table(self, name: str) -> list[list[float]]:
        """Return a list of lists of numbers."""
        return [[_number(item) for item in _items(row)] for row in _items(self.given[name])]

    def samples(self, name: str) -> list[list[list[float]]]:
        """Return lists of tables: strata of arms of values, or arms of rows."""
        return [
            [[_number(item) for item in _items(row)] for row in _items(table)]
            for table in _items(self.given[name])
        ]


Solver = Callable[[Inputs], Answer]


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one peer, and how closely our own code must agree with its answer."""

    family: str
    name: str
    kind: str
    peer: str
    source: str
    inputs: dict[str, object]
    bound: float = SAME_BOUND
    reason: str = ""

    @property
    def relation(self) -> str:
        """Whether both compute the same formula."""
        return BOUNDED if self.reason else SAME

    @property
    def key(self) -> str:
        """What names it among all cases."""
        return f"{self.family} · {self.name} · {self.peer}"


@dataclass(frozen=True, slots=True)
class Case:
    """A question with its answer: one golden case."""

    family: str
    name: str
    kind: str
    peer: str
    peer_version: str
    authority: str
    source: str
    inputs: dict[str, object]
    expected: Answer
    relation: str
    bound: float
    reason: str

    @property
    def key(self) -> str:
        """What names it among all cases."""
        return f"{self.family} · {self.name} · {self.peer}"


def answered(question: Question, expected: Answer, version: str) -> Case:
    """Return the golden case of a question and its answer."""
    return Case(
        family=question.family,
        name=question.name,
        kind=question.kind,
        peer=question.peer,
        peer_version=version,
        authority={PRINTED: PAPER, ORACLE_PEER: ORACLE}.get(question.peer, PEER),
        source=question.source,
        inputs=question.inputs,
        # Thirteen digits: more than any comparison needs, fewer than differ between machines.
        expected={name: float(f"{value:.13g}") for name, value in expected.items()},
        relation=question.relation,
        bound=question.bound,
        reason=question.reason,
    )


def written(cases: Sequence[Case]) -> str:
    """Return the text of cases.json: one line per field, long inputs on one line."""
    blocks = []
    for case in cases:
        fields = [
            f"    {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
            for name, value in asdict(case).items()
        ]
        blocks.append("  {\n" + ",\n".join(fields) + "\n  }")
    return "[\n" + ",\n".join(blocks) + "\n]\n"


def read_cases(path: Path = CASES) -> list[Case]:
    """Return the golden cases that are kept."""
    return [Case(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"must be a number (got {value!r})")
    return float(value)


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"must be a list (got {value!r})")
    return value
