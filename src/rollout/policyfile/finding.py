"""What is wrong with a policy file, or worth a second look, and the one function that words it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from rollout.errors import printable

Path: TypeAlias = tuple[str | int, ...]

SIMPLE_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
MAXIMUM_SHOWN_CHARACTERS: Final = 60


class Severity(StrEnum):
    """Whether a policy with this finding may run."""

    ERROR = "error"
    """It may not."""
    WARNING = "warning"
    """It may, but someone should have decided so."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong at one key, before anyone has looked up where that key stands."""

    path: Path
    what: str
    remedy: str | None = None
    severity: Severity = Severity.ERROR
    shows_value: bool = True
    """The value that stands there belongs into the sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A complaint with its place; `worded` makes it a sentence."""

    file: str
    line: int | None
    path: Path
    what: str
    got: str | None = None
    remedy: str | None = None
    severity: Severity = Severity.ERROR


def worded(finding: Finding) -> str:
    """Word a finding: `file:line: path: what (got …); did you mean …?`."""
    return f"{place(finding)}: {sentence(finding)}"


def place(finding: Finding) -> str:
    """Return the part of the wording that says where."""
    line = "" if finding.line is None else f":{finding.line}"
    key = f": {path_text(finding.path)}" if finding.path else ""
    return printable(f"{finding.file}{line}{key}")


def sentence(finding: Finding) -> str:
    """Return the part of the wording that says what, and what to do."""
    kind = "warning: " if finding.severity is Severity.WARNING else ""
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{kind}{statement(finding)}{printable(remedy)}"


def statement(finding: Finding) -> str:
    """Return what is wrong, with the value that stands there."""
    got = f" (got {finding.got})" if finding.got is not None else ""
    return printable(f"{finding.what}{got}")


def path_text(path: Path) -> str:
    """Write a path as people do: `spec.steps[0].setWeight`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif SIMPLE_KEY.fullmatch(part):
            text += f".{shortened(part)}" if text else shortened(part)
        else:
            text += f"[{json.dumps(shortened(part), ensure_ascii=False)}]"
    return text


def shortened(text: str) -> str:
    """Cut what is too long to be read."""
    return text if len(text) <= MAXIMUM_SHOWN_CHARACTERS else f"{text[:MAXIMUM_SHOWN_CHARACTERS]}…"


def did_you_mean(guess: str | None) -> str | None:
    """Word a guess; nothing when there is none."""
    return f"did you mean '{guess}'?" if guess else None
