"""Every error a user can meet, in one tree.

```
RolloutError             something a person can act on                              exit 2
├── WrongUsage           the command line cannot be understood                      exit 2
├── WrongSettings        a setting, its file or its variable cannot be used         exit 2
├── WrongPolicy          a policy file says what cannot be run                      exit 2
├── NotReadable          what was named cannot be read                              exit 2
├── OutputFailed         what was asked for could not be written                    exit 2
├── WrongTraffic         the proxy cannot do what a policy asks for                 exit 2
├── ProxyFailed          Envoy does not start or does not stay up                   exit 2
├── ControlPlaneFailed   the control plane is not there, or answers wrongly         exit 2
├── RequestRefused       the control plane refuses what was asked for               exit 2
├── Retry                something outside does not answer now: it is asked again   exit 2
│   └── NotLeader        another control plane writes now: this one may not             exit 2
├── Stop                 asking again soon cannot help: a person has to act         exit 2
└── Unexpected           a defect of ours: the details are in a file, never shown   exit 2
```

A new kind is a leaf here, with its exit code. `rollout.stats` imports nothing of ours and raises
`ValueError`; the floor that calls it says where the number came from.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the `rollout` command tells the shell; every verb keeps to it."""

    FINE = 0
    FINDINGS = 1
    COULD_NOT_RUN = 2
    REFUSED = 3


EXIT_CODE_MEANINGS = {
    ExitCode.FINE: "fine",
    ExitCode.FINDINGS: "findings, or the awaited state was not reached",
    ExitCode.COULD_NOT_RUN: "could not run",
    ExitCode.REFUSED: "refused as impossible",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it is, what it is, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}; {self.remedy}")


class RolloutError(Exception):
    """Something a person can act on: at least one problem, each with its remedy."""

    exit_code: ClassVar[ExitCode] = ExitCode.COULD_NOT_RUN

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise ValueError("an error of ours names at least one problem")
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class WrongUsage(RolloutError):
    """The command line cannot be understood."""


class WrongSettings(RolloutError):
    """A setting, the file it stands in or its variable cannot be used."""


class WrongPolicy(RolloutError):
    """A policy file says what cannot be run."""


class NotReadable(RolloutError):
    """What was named cannot be read."""


class OutputFailed(RolloutError):
    """What was asked for could not be written."""


class WrongTraffic(RolloutError):
    """The proxy cannot do what a policy asks for."""


class ProxyFailed(RolloutError):
    """Envoy does not start or does not stay up."""


class ControlPlaneFailed(RolloutError):
    """The control plane is not there, or does not answer as agreed."""


class RequestRefused(RolloutError):
    """The control plane refuses what was asked for."""


class Retry(RolloutError):
    """Something outside does not answer now; the loop asks again, later each time."""


class NotLeader(Retry):
    """Another control plane leads now, or may by now: what was to be written here was not."""


class Stop(RolloutError):
    """Asking again cannot help, for a person has to act; only what is on trial is looked at as before."""


class Unexpected(RolloutError):
    """A defect of ours; its details are in a file."""


def printable(text: str) -> str:
    """Write out what a terminal would act on, such as an escape sequence in a file's name."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name most like the wrong one, or nothing when none is like it."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def choices(names: Iterable[str]) -> str:
    """Word a choice: `text, json or markdown`."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
