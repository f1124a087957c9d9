"""Find and read the policy files that a command line names: files, folders, and `-` for standard input."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.errors import NotReadable, Problem

if TYPE_CHECKING:
    from rollout.domain.policy import Policy
    from rollout.policyfile.reading import Reading

STANDARD_INPUT = "-"
SHOWN_INPUT = "stdin"
ENDINGS = frozenset({".yaml", ".yml"})
MAXIMUM_FILES = 10_000


def read_all(names: Sequence[str]) -> "tuple[list[Reading], list[Problem]]":
    """Read every policy once, in the order named, a folder's in alphabetical order.

    Also returns one problem for each name that leads to no policy.
    """
    files, problems = _files(names)
    readings = []
    for file in files:
        try:
            readings.append(_read(file))
        except OSError as error:
            problems.append(_unreadable(str(file), error))
    return readings, problems


def files_of(names: Sequence[str]) -> list[Path]:
    """Return the policy files that are there now."""
    files, _ = _files(names)
    return [file for file in files if file is not None]


def policy_in(name: str) -> "Policy":
    """Return the policy of one file, or of standard input; raises every error that is in it."""
    return admitted(reading_in(name))


def reading_in(name: str) -> "Reading":
    """Return what one file, or standard input, says."""
    try:
        return _read(None if name == STANDARD_INPUT else Path(name))
    except OSError as error:
        raise NotReadable(_unreadable(name, error)) from None


def admitted(reading: "Reading") -> "Policy":
    """Return the policy that was read; raises every error that forbids it."""
    from rollout.policyfile.reading import required

    return required(reading)


def _files(names: Sequence[str]) -> tuple[list[Path | None], list[Problem]]:
    """Return the files, none standing for standard input, and what is wrong with the names."""
    found: dict[object, Path | None] = {}
    problems = []
    for name in names:
        if name == STANDARD_INPUT:
            found.setdefault(STANDARD_INPUT, None)
            continue
        if not name:
            # An unset variable of a script must not mean everything below this folder.
            problems.append(
                Problem("rollout lint", "an empty name", "name a file or a folder: `.` is this one")
            )
            continue
        path = Path(name)
        inside = list(_policies_below(path)) if path.is_dir() else [path]
        if not inside:
            remedy = "name a folder that holds policies"
            problems.append(Problem(name, "no file in it ends in .yaml or .yml", remedy))
        for file in inside:
            found.setdefault(file.resolve(), file)
    if len(found) > MAXIMUM_FILES:
        what = f"{len(found)} files, more than {MAXIMUM_FILES}"
        raise NotReadable(Problem("rollout lint", what, "name fewer at a time"), *problems)
    return list(found.values()), problems


def _policies_below(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).parts
        if file.suffix in ENDINGS and file.is_file() and not any(part.startswith(".") for part in inside):
            yield file


def _read(file: Path | None) -> "Reading":
    from rollout.policyfile.reading import MAXIMUM_BYTES, read_bytes, read_file

    if file is None:
        return read_bytes(sys.stdin.buffer.read(MAXIMUM_BYTES + 1), SHOWN_INPUT)
    return read_file(file)


def _unreadable(name: str, error: OSError) -> Problem:
    return Problem(name, (error.strerror or str(error)).lower(), "name a policy file that can be read")
