"""Whose way `rollout assign` is asked for, and what their request carries."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.errors import NotReadable, Problem, WrongUsage

if TYPE_CHECKING:
    from rollout.domain.policy import Policy

VERB = "rollout assign"
STANDARD_INPUT = "-"
MAXIMUM_UNITS = 100_000
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
NEVER_SENT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Question:
    """Whose way is asked for, and how their request looks."""

    units: Sequence[str]
    headers: Mapping[str, str]
    path: str
    host: str | None


def units_of(named: Sequence[str], file: str | None) -> Sequence[str]:
    """Return each unit once, those of the file last."""
    units = tuple(dict.fromkeys([*named, *([] if file is None else _lines(file))]))
    unsent = next((unit for unit in units if NEVER_SENT.search(unit)), None)
    if unsent is not None:
        raise wrong(f"{unsent!r} cannot arrive as a header", "leave out line breaks and control characters")
    if not units:
        raise wrong("no unit is named", "name one with --unit, or a file with one on each line with --units")
    return units


def _lines(file: str) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
        lines = [line for line in content.decode().replace("\r\n", "\n").split("\n") if line.strip()]
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise NotReadable(Problem(file, what, "name a file with one unit on each line")) from None
    except UnicodeDecodeError:
        raise NotReadable(Problem(file, "not UTF-8 text", "save it as UTF-8")) from None
    if len(lines) > MAXIMUM_UNITS:
        raise NotReadable(Problem(file, f"more than {MAXIMUM_UNITS:,} units", "name a part of them"))
    return lines


def headers_of(written: Iterable[str], policy: "Policy") -> Mapping[str, str]:
    """Return headers by their names; a doubled one is joined by a comma, as the proxy does."""
    found: dict[str, str] = {}
    for one in written:
        name, sign, value = one.partition("=")
        name = name.strip().lower()
        if not sign or HEADER_NAME.fullmatch(name) is None or NEVER_SENT.search(value):
            raise wrong(f"--header must be NAME=VALUE (got {one!r})", "write, say, --header x-tier=pro")
        if name == policy.unit_header.lower():
            raise wrong(f"{name} is the header that names the unit", "give it with --unit")
        found[name] = f"{found[name]},{value.strip()}" if name in found else value.strip()
    return found


def wrong(what: str, remedy: str) -> WrongUsage:
    """Return what is wrong with the command line."""
    return WrongUsage(Problem(VERB, what, remedy))
