"""Read one policy file: the policy when it may run, and every finding either way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from pydantic import ValidationError

from rollout.domain.policy import Policy
from rollout.errors import Problem, WrongPolicy
from rollout.policyfile.build import policy_of
from rollout.policyfile.cautions import cautions
from rollout.policyfile.combinations import impossible
from rollout.policyfile.composing import TOO_MUCH, Document, Fault, compose
from rollout.policyfile.draft import draft
from rollout.policyfile.faults import complaints
from rollout.policyfile.finding import Complaint, Finding, Path, Severity, place, statement
from rollout.policyfile.nodes import Keys, Node, plain, shown, walk, written
from rollout.policyfile.shapes import File

MAXIMUM_BYTES: Final = 256 * 1024
MAXIMUM_FINDINGS: Final = 100
STRANGE: Final = (("apiVersion",), ("kind",))
"""Wrong both, the file is no policy, and no more needs to be said."""
DESCRIBED: Final = "docs/policy.md describes every key"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file says: a policy when nothing forbids it, and what was found."""

    file: str
    policy: Policy | None
    findings: tuple[Finding, ...]
    root: Node | None = None
    """The file's tree, for lines."""


def read_file(path: FilePath, file: str | None = None) -> Reading:
    """Read a file, named as it should be shown; raises `OSError` when it cannot be opened."""
    name = str(path) if file is None else file
    with path.open("rb") as stream:
        return read_bytes(stream.read(MAXIMUM_BYTES + 1), name)


def read_bytes(content: bytes, file: str) -> Reading:
    """Read what a file holds; more than 256 KiB is refused before any of it is read."""
    if len(content) > MAXIMUM_BYTES:
        fault = Fault(None, (), "larger than 256 KiB", TOO_MUCH)
        return Reading(file, None, (_of_fault(fault, file, None),))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Reading(
            file, None, (_of_fault(Fault(line, (), "not UTF-8 text", "save it as UTF-8"), file, None),)
        )
    return read(text, file)


def read(text: str, file: str) -> Reading:
    """Read the text of a file; never raises, whatever the text."""
    if len(text) > MAXIMUM_BYTES:
        return read_bytes(text.encode(errors="replace"), file)
    document = compose(text)
    faults = [_of_fault(fault, file, document.root) for fault in document.faults]
    if document.root is None:
        return Reading(file, None, _sorted(faults))
    checked, found = _check(document.root)
    known = [complaint for complaint in found if not _is_hidden(complaint.path, document)]
    findings = _sorted([*faults, *(located(complaint, file, document.root) for complaint in known)])
    runs = all(finding.severity is Severity.WARNING for finding in findings)
    policy = policy_of(checked) if checked is not None and runs else None
    return Reading(file, policy, findings, document.root)


def parse(text: str, file: str) -> Policy:
    """Return the policy of a text, as `required` does."""
    return required(read(text, file))


def required(reading: Reading) -> Policy:
    """Return the policy that was read; raises `WrongPolicy` with every error, and says no warning."""
    if reading.policy is None:
        errors = [finding for finding in reading.findings if finding.severity is Severity.ERROR]
        raise WrongPolicy(
            *(Problem(place(error), statement(error), error.remedy or DESCRIBED) for error in errors)
        )
    return reading.policy


def located(complaint: Complaint, file: str, root: Node | None) -> Finding:
    """Look up where a complaint's key stands, and what stands there."""
    path = complaint.path if root is None else written(root, complaint.path)
    node, line = walk(root, path)
    got = shown(node) if node is not None and complaint.shows_value else None
    return Finding(file, line, path, complaint.what, got, complaint.remedy, complaint.severity)


def _check(root: Node) -> tuple[File | None, list[Complaint]]:
    content = plain(root)
    try:
        checked, found = File.model_validate(content), []
    except ValidationError as error:
        checked, found = None, complaints(error.errors(include_url=False))
    strange = [complaint for complaint in found if complaint.path in STRANGE]
    if len(strange) > 1 or not isinstance(root, Keys):
        return None, strange or found
    parts = draft(content)
    if not parts.written:
        return checked, found
    return checked, [*found, *impossible(parts), *cautions(parts)]


def _is_hidden(path: Path, document: Document) -> bool:
    return any(path[:length] in document.hidden for length in range(len(path) + 1))


def _of_fault(fault: Fault, file: str, root: Node | None) -> Finding:
    line = fault.line if fault.line is not None else walk(root, ())[1]
    return Finding(file, line, fault.path, fault.what, None, fault.remedy)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Order findings by line, and keep the first hundred."""
    ordered = sorted(findings, key=lambda finding: finding.line or 0)
    rest = len(ordered) - MAXIMUM_FINDINGS
    if rest <= 0:
        return tuple(ordered)
    # Errors first: what is cut off must not let a policy run.
    ordered.sort(key=lambda finding: finding.severity is Severity.WARNING)
    more = Finding(ordered[0].file, None, (), f"{rest} more findings", None, "mend these first")
    return (*ordered[:MAXIMUM_FINDINGS], more)
