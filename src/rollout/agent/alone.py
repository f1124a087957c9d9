"""A proxy without a control plane: policies and weights from files, which it looks at while it runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from rollout import logs
from rollout.agent.private import write_private
from rollout.domain.assignment import Placement, Split
from rollout.domain.layers import allot
from rollout.domain.policy import Policy
from rollout.errors import NotReadable, Problem, RolloutError, WrongPolicy
from rollout.fleet.snapshot import Snapshot
from rollout.policyfile.collisions import collisions
from rollout.policyfile.digest import digest
from rollout.policyfile.finding import Finding, Severity, place, statement
from rollout.policyfile.reading import DESCRIBED, MAXIMUM_BYTES, Reading
from rollout.policyfile.weightsfile import read_weights

LOOK_EVERY_S: Final = 1.0
_log = logs.get("policies")
ReadAll = Callable[[], tuple[list[Reading], list[Problem]]]


@dataclass(frozen=True, slots=True)
class Files:
    """Where policies and weights stand; `read` reads the policies, `watched` names what a change shows in."""

    read: ReadAll
    watched: Callable[[], Iterable[Path]]
    weights: Path


class Taking(Protocol):
    """What is needed of the applier."""

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot that came."""

    def take(self, snapshot: Snapshot) -> None:
        """Follow this snapshot from now on."""


class Alone:
    """Gives an applier what files say; a mistake leaves what was good before, and is said once."""

    def __init__(self, files: Files, applier: Taking, numbers: Path) -> None:
        self._files, self._applier, self._numbers = files, applier, numbers
        self._seen: object = None
        self._had_weights = False

    def begin(self) -> None:
        """Follow the files as they are; raises `RolloutError` with every mistake."""
        self._seen = self._looks()
        self._follow()

    def run(self, stop: threading.Event) -> None:
        """Look every second whether a file has changed, until told to stop."""
        while not stop.wait(LOOK_EVERY_S):
            self.look()

    def look(self) -> None:
        """Follow the files if they have changed."""
        seen = self._looks()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._follow()
        except RolloutError as error:
            for problem in error.problems:
                _log.error("a mistake; what was served before stays", problem=str(problem))
        except OSError as error:
            _log.error("the files cannot be read; what was served before stays", problem=str(error))
        else:
            _log.warning("changed files are served now")

    def _follow(self) -> None:
        policies, weights = read_whole(self._files, needs_weights=self._had_weights)
        self._had_weights = weights is not None
        self._applier.take(
            Snapshot.of(self._placements(policies, weights or {}), before=self._applier.newest)
        )

    def _placements(self, policies: Sequence[Policy], weights: Mapping[str, Split]) -> list[Placement]:
        """Return who gets what; whoever has no weight is all baseline: nothing moves up by a missing line."""
        before = () if self._applier.newest is None else self._applier.newest.placements
        others = {one.policy.name: one for one in before}
        others = {policy.name: others[policy.name] for policy in policies if policy.name in others}
        numbers = self._numbered(policies)
        placements = []
        for policy in policies:
            layer_range = allot(policy, others.values())
            split = weights.get(policy.name, Split())
            one = Placement(policy, numbers[policy.name], split, layer_range)
            others[policy.name] = one
            placements.append(one)
        return placements

    def _numbered(self, policies: Sequence[Policy]) -> Mapping[str, int]:
        """Return each policy's revision: a changed policy has a new one, so that its records stay apart."""
        try:
            known = json.loads(self._numbers.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            known = {}
        after = dict(known)
        for policy in policies:
            number, of = known.get(policy.name, (0, ""))
            if of != digest(policy):
                after[policy.name] = (number + 1, digest(policy))
        if after != known:
            write_private(self._numbers, json.dumps(after))
        return {policy.name: after[policy.name][0] for policy in policies}

    def _looks(self) -> object:
        """Return what differs when a file was written, came or went."""
        found = []
        for file in (*self._files.watched(), self._files.weights):
            try:
                about = file.stat()
            except OSError:
                continue
            found.append((str(file), about.st_ino, about.st_size, about.st_mtime_ns))
        return found


def read_whole(files: Files, *, needs_weights: bool) -> tuple[list[Policy], Mapping[str, Split] | None]:
    """Return policies and weights, none where there is no file; raises `RolloutError` with every mistake."""
    readings, problems = files.read()
    findings = [one for reading in readings for one in reading.findings]
    _refuse([*findings, *collisions(readings)], problems)
    policies = [reading.policy for reading in readings if reading.policy is not None]
    name = str(files.weights)
    try:
        with files.weights.open("rb") as stream:
            text = stream.read(MAXIMUM_BYTES + 1).decode()
    except FileNotFoundError:
        if needs_weights:
            remedy = "write it again; to take all traffic off, leave it empty"
            raise NotReadable(Problem(name, "the file of weights is gone", remedy)) from None
        return policies, None
    except (OSError, UnicodeDecodeError) as error:
        remedy = "make it a text file that can be read"
        raise NotReadable(Problem(name, str(error).lower(), remedy)) from None
    weights, findings_of_weights = read_weights(text, name, policies)
    _refuse(findings_of_weights, ())
    return policies, weights


def _refuse(findings: Iterable[Finding], problems: Iterable[Problem]) -> None:
    """Raise with every error, worded as lint words it."""
    errors = [one for one in findings if one.severity is Severity.ERROR]
    worded = [Problem(place(one), statement(one), one.remedy or DESCRIBED) for one in errors]
    if worded or (problems := tuple(problems)):
        raise WrongPolicy(*worded, *problems)
