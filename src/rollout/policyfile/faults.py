"""What pydantic found in one file → complaints in our words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pydantic_core import ErrorDetails

from rollout.errors import choices, nearest
from rollout.policyfile.actions import ACTIONS
from rollout.policyfile.anatomy import KEY_ITSELF, keys, spot
from rollout.policyfile.finding import MAXIMUM_SHOWN_CHARACTERS, Complaint, Path, did_you_mean
from rollout.policyfile.forms import Unfit
from rollout.policyfile.leaves import Shape
from rollout.policyfile.metrics import LATER, METRICS
from rollout.policyfile.nodes import Scalar
from rollout.policyfile.steps import APPROVAL, STEPS, Hold, MirrorHold
from rollout.policyfile.unsupported import KEYS

MAPPING_TYPES: Final = frozenset({"model_type", "dict_type"})
UNDONE: Final = {
    "apiVersion": "write `apiVersion: rollout/v1`",
    "kind": "write `kind: RolloutPolicy`",
    "command": "write `command: [./program]` or `workflowTemplate: NAME`",
    "setWeight": "write `setWeight`, `mirror` or `approve`",
}
PLAIN: Final = re.compile("[A-Za-z0-9/%:_-]+")
"""What needs no quotes."""
UNKNOWN: Final = "unknown key"
MISSING: Final = "is missing"
MUST_BE_A_LIST: Final = "must be a list"


def complaints(details: Iterable[ErrorDetails]) -> list[Complaint]:
    """Return every complaint; a key that is missing because it is misspelt is named once."""
    found = [complaint for detail in details for complaint in _complaint(detail)]
    meant = {
        (*complaint.path[:-1], guess)
        for complaint in found
        if complaint.what == UNKNOWN and (guess := _guessed(complaint)) is not None
    }
    return [complaint for complaint in found if not (complaint.what == MISSING and complaint.path in meant)]


def _complaint(detail: ErrorDetails) -> Iterator[Complaint]:
    location = detail["loc"]
    path = spot(location).path
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            yield _unknown(location, path)
        case "missing":
            yield Complaint(path, MISSING, _undone(location), shows_value=False)
        case "value_error" if isinstance(context.get("error"), Unfit):
            error = context["error"]
            of_key = location[-1] == KEY_ITSELF
            what = f"as a key: {error.what}" if of_key else error.what
            yield Complaint(path, what, error.remedy, shows_value=error.shows_value and not of_key)
        case "union_tag_not_found" if isinstance(detail["input"], dict):
            yield Complaint((*path, "type"), f"is missing: {choices(METRICS)}", shows_value=False)
        case "union_tag_not_found":
            yield Complaint(path, "must be keys, such as `name: errors`")
        case "union_tag_invalid":
            yield _untyped(detail, path)
        case kind if kind in MAPPING_TYPES:
            yield Complaint(path, must_be_keys(spot(location).shape))
        case kind:
            yield _plain(kind, detail, path)


def must_be_keys(shape: type[Shape] | None) -> str:
    """Say that a mapping belongs where something else stands."""
    example = next(iter(keys(shape))) if shape else "name"
    return f"must be keys, such as `{example}: …`"


def _plain(kind: str, detail: ErrorDetails, path: Path) -> Complaint:
    match kind:
        case "list_type":
            return Complaint(path, MUST_BE_A_LIST, _as_list(detail["input"]))
        case "too_short":
            return Complaint(path, "must not be empty", "write at least one", shows_value=False)
        case "too_long":
            most = detail.get("ctx", {})["max_length"]
            return Complaint(path, f"must have at most {most} entries", shows_value=False)
        case _:
            return Complaint(path, detail["msg"][:1].lower() + detail["msg"][1:])


def _undone(location: Path) -> str | None:
    """Return what to write where a key is missing."""
    name, parent = str(location[-1]), spot(location[:-1]).shape
    key = keys(parent).get(name) if parent else None
    if name in UNDONE or key is None:
        return UNDONE.get(name)
    if key.leaf is None:
        inner = keys(key.shapes[0]) if len(key.shapes) == 1 else {}
        return f"its keys are {', '.join(inner)}" if inner else "docs/policy.md shows one"
    if key.leaf.words:
        return f"{'list one or more of' if key.is_list else 'write'} {choices(key.leaf.words)}"
    shown = key.examples[0]
    value = f'"{shown}"' if isinstance(shown, str) and not PLAIN.fullmatch(shown) else shown
    return f"write `{name}: [{value}]`, say" if key.is_list else f"write `{name}: {value}`, say"


def _as_list(found: object) -> str | None:
    """Return how one value, or the keys of one entry, become a list."""
    if isinstance(found, dict):
        return "begin each entry with `- `"
    if isinstance(found, Scalar) and not found.is_null and len(found.text) <= MAXIMUM_SHOWN_CHARACTERS:
        return f"write [{', '.join(found.text.split())}]"
    return None


def _untyped(detail: ErrorDetails, path: Path) -> Complaint:
    """Word a metric of no known type; what comes from SQL needs none to be understood."""
    tag = str(detail.get("ctx", {})["tag"])
    place = "type" if "type" in detail["input"] else "source"
    if tag in LATER:
        return Complaint((*path, place), *LATER[tag])
    return Complaint((*path, place), f"must be {choices(METRICS)}", did_you_mean(nearest(tag, METRICS)))


def _unknown(location: Path, path: Path) -> Complaint:
    shape, wrong = spot(location[:-1]).shape, str(path[-1])
    assert shape is not None  # noqa: S101 (ours: only a mapping with known keys forbids others)
    if (shape, wrong) in KEYS:
        what, remedy = KEYS[shape, wrong]
        return Complaint(path, what, remedy, shows_value=False)
    misplaced = _misplaced(shape, wrong)
    if misplaced is not None:
        return Complaint(path, *misplaced, shows_value=False)
    remedy = did_you_mean(nearest(wrong, keys(shape))) or f"known here: {', '.join(keys(shape))}"
    return Complaint(path, UNKNOWN, remedy, shows_value=False)


def _misplaced(shape: type[Shape], wrong: str) -> tuple[str, str] | None:
    """Say where a key belongs that another kind of metric, step or action has; nothing when none has it."""
    if shape in METRICS.values():
        (kind,) = (kind for kind, other in METRICS.items() if other is shape)
        belongs = [kind for kind, other in METRICS.items() if wrong in keys(other)]
        return (f"{UNKNOWN} for type {kind}", f"it belongs to {choices(belongs)}") if belongs else None
    if shape in STEPS.values() and any(wrong in keys(other) for other in STEPS.values()):
        (kind,) = (kind for kind, other in STEPS.items() if other is shape)
        if kind == APPROVAL:
            return "does not go with an approval in one step", "an approval waits for a person alone"
        return f"does not go with a {kind} in one step", "give it a step of its own"
    if shape is MirrorHold and wrong in keys(Hold):
        return "copies enrol nobody and prove nothing: a mirror step waits a time", "write `for` alone"
    if shape in ACTIONS.values() and any(wrong in keys(other) for other in ACTIONS.values()):
        return "either `command` or `workflowTemplate`, with its `parameters`, not both", "remove one of them"
    return None


def _guessed(complaint: Complaint) -> str | None:
    guess = complaint.remedy or ""
    return guess.removeprefix("did you mean '").removesuffix("'?") if guess.startswith("did you") else None
