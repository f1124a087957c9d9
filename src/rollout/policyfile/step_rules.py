"""Steps that cannot work in their order, with their weights or with their holds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from rollout.domain.policy import WHOLE_BP
from rollout.policyfile.draft import Draft
from rollout.policyfile.finding import Complaint, Path
from rollout.policyfile.steps import APPROVAL, MIRROR, WEIGHT, ApproveStep, Hold
from rollout.policyfile.writing import duration_text, percent_text

STEPS: Final[Path] = ("spec", "steps")
IN_WORDS: Final = {1: "one candidate", 2: "two candidates", 3: "three candidates", 4: "four candidates"}


def order(draft: Draft) -> Iterator[Complaint]:
    """Refuse another order than copies, then weights, then at most one approval."""
    kinds = draft.step_kinds
    first_weight = kinds.index(WEIGHT) if WEIGHT in kinds else len(kinds)
    for index, kind in enumerate(kinds):
        if kind == MIRROR and index > first_weight:
            what = "a mirror step comes before the first weight"
            yield Complaint((*STEPS, index, "mirror"), what, "move it up", shows_value=False)
        if kind == APPROVAL and index != len(kinds) - 1:
            what = "an approval is the last step, after the verdict"
            yield Complaint((*STEPS, index, "approve"), what, "move it to the end", shows_value=False)
        elif kind == APPROVAL and not draft.can_promote:
            what = "nothing to approve: without a weight step nothing is promoted"
            yield Complaint((*STEPS, index, "approve"), what, "set a weight, or remove it", shows_value=False)


def weights(draft: Draft) -> Iterator[Complaint]:
    """Refuse weights that equal arms cannot have, or that shrink."""
    count = min(draft.candidate_count, max(IN_WORDS))
    most = WHOLE_BP // (count + 1)
    for index, step in draft.weights:
        if step.set_weight > most:
            what = f"must be at most {percent_text(most / WHOLE_BP)} with {IN_WORDS[count]}"
            yield Complaint((*STEPS, index, "setWeight"), what)
    for (_, before), (index, step) in pairwise(draft.weights):
        if step.set_weight < before.set_weight:
            least = percent_text(before.set_weight / WHOLE_BP)
            what = f"weights only grow: must be at least the step before's {least}"
            yield Complaint((*STEPS, index, "setWeight"), what)


def last_weight(draft: Draft) -> Iterator[Complaint]:
    """Refuse a last weight step that does not wait for the verdict, or waits for ever."""
    if draft.last_weight is None:
        return
    index, step = draft.last_weight
    path: Path = (*STEPS, index, "hold")
    if step.hold.until is None:
        what = "the last weight step must wait for the verdict"
        yield Complaint((*path, "until"), what, "write `until: verdict`", shows_value=False)
    if step.hold.at_most is None:
        what = "the last weight step must end some day"
        yield Complaint((*path, "atMost"), what, "write `atMost: 14d`, say", shows_value=False)


def holds(draft: Draft) -> Iterator[Complaint]:
    """Refuse a wait for nothing, and a wait for the verdict before the last weight step."""
    last = draft.last_weight[0] if draft.last_weight else None
    for index, step in draft.weights:
        path: Path = (*STEPS, index, "hold")
        hold = step.hold
        if index != last and hold.until is not None and last is not None:
            yield Complaint((*path, "until"), "only the last weight step waits for the verdict", "remove it")
        if _is_empty(hold) and index != last:
            yield Complaint(path, "must say what to wait for: `for`, `minUnits` or both", shows_value=False)
        if hold.for_ is not None and hold.at_most is not None and hold.for_ > hold.at_most:
            yield Complaint((*path, "for"), f"must be at most `atMost`, {duration_text(hold.at_most)}")


def _is_empty(hold: Hold) -> bool:
    return hold.for_ is None and not hold.min_units and hold.until is None


def warmups(draft: Draft) -> Iterator[Complaint]:
    """Refuse to leave out of a step all that is measured in it."""
    shortest_of = [
        *((index, step.warmup, step.hold.for_ or step.hold.at_most) for index, step in draft.weights),
        *((index, step.warmup, step.hold.for_) for index, step in draft.mirrors),
    ]
    for index, warmup, shortest in shortest_of:
        if warmup is not None and shortest is not None and warmup >= shortest:
            what = f"must be shorter than the step's hold, {duration_text(shortest)}"
            yield Complaint((*STEPS, index, "warmup"), what)


def approvers(draft: Draft) -> Iterator[Complaint]:
    """Refuse a group that is named twice."""
    for index, step in draft.steps:
        if isinstance(step, ApproveStep):
            for place, group in enumerate(step.approve):
                if group in step.approve[:place]:
                    yield Complaint((*STEPS, index, "approve", place), "must be named once")
