"""What pydantic found in one file → complaints in our words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pydantic_core import ErrorDetails

from rollout.errors import choices, nearest
from rollout.policyfile.anatomy import keys, shape_at
from rollout.policyfile.finding import Complaint, Path, did_you_mean
from rollout.policyfile.quantities import Unfit
from rollout.policyfile.shapes import METRICS

MAPPING_TYPES: Final = frozenset({"model_type", "dict_type"})
UNDONE: Final = {
    "apiVersion": "write `apiVersion: rollout/v1`",
    "kind": "write `kind: RolloutPolicy`",
}


def complaints(details: Iterable[ErrorDetails]) -> list[Complaint]:
    """Return every complaint; a key that is missing because it is misspelt is named once."""
    found = [complaint for detail in details for complaint in _complaint(detail)]
    meant = {
        (*complaint.path[:-1], guess)
        for complaint in found
        if complaint.what == UNKNOWN and (guess := _guessed(complaint)) is not None
    }
    return [complaint for complaint in found if not (complaint.what == MISSING and complaint.path in meant)]


UNKNOWN: Final = "unknown key"
MISSING: Final = "is missing"


def _complaint(detail: ErrorDetails) -> Iterator[Complaint]:
    location = detail["loc"]
    path = _path(location)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            yield _unknown(location, path)
        case "missing":
            yield Complaint(path, MISSING, UNDONE.get(str(path[-1])), shows_value=False)
        case "value_error" if isinstance(context.get("error"), Unfit):
            error = context["error"]
            yield Complaint(path, error.what, error.remedy, shows_value=error.shows_value)
        case "union_tag_not_found" if isinstance(detail["input"], dict):
            yield Complaint((*path, "type"), f"is missing: {choices(METRICS)}", shows_value=False)
        case "union_tag_not_found":
            yield Complaint(path, "must be keys, such as `name: errors`")
        case "union_tag_invalid":
            guess = did_you_mean(nearest(str(context["tag"]), METRICS))
            yield Complaint((*path, "type"), f"must be {choices(METRICS)}", guess)
        case kind if kind in MAPPING_TYPES:
            example = next(iter(keys(shape_at(location))))
            yield Complaint(path, f"must be keys, such as `{example}: …`")
        case kind:
            yield _plain(kind, detail, path)


def _plain(kind: str, detail: ErrorDetails, path: Path) -> Complaint:
    match kind:
        case "list_type":
            return Complaint(path, "must be a list")
        case "too_short":
            return Complaint(path, "must not be empty", shows_value=False)
        case "too_long":
            most = detail.get("ctx", {})["max_length"]
            return Complaint(path, f"must have at most {most} entries", shows_value=False)
        case _:
            return Complaint(path, detail["msg"][:1].lower() + detail["msg"][1:])


def _unknown(location: Path, path: Path) -> Complaint:
    shape, wrong = shape_at(location[:-1]), str(path[-1])
    guess = nearest(wrong, keys(shape))
    elsewhere = [kind for kind, other in METRICS.items() if wrong in keys(other)]
    if shape in METRICS.values() and elsewhere:
        (kind,) = [kind for kind, other in METRICS.items() if other is shape]
        what = f"{UNKNOWN} for type {kind}"
        return Complaint(path, what, f"it belongs to {choices(elsewhere)}", shows_value=False)
    remedy = did_you_mean(guess) or f"known here: {', '.join(keys(shape))}"
    return Complaint(path, UNKNOWN, remedy, shows_value=False)


def _guessed(complaint: Complaint) -> str | None:
    guess = complaint.remedy or ""
    return guess.removeprefix("did you mean '").removesuffix("'?") if guess.startswith("did you") else None


def _path(location: Path) -> Path:
    """Leave out what only pydantic sees: the tag of a metric's type."""
    return tuple(
        part
        for index, part in enumerate(location)
        if not (index > 0 and isinstance(location[index - 1], int) and part in METRICS)
    )
