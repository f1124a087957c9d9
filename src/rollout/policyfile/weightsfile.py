"""A file of weights: what each policy's candidates get where no control plane decides it.

```
first: 10%          the weight of one of its steps
churn: step 2       a step by its number, counted as in the policy
fraud: promoted     everybody gets the candidate; `promoted candidate 2` where there are several
ranker: off         everybody gets the baseline: so too for a policy that is not named
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from rollout.domain.assignment import Split
from rollout.domain.policy import Policy
from rollout.errors import choices, nearest
from rollout.policyfile.composing import compose
from rollout.policyfile.finding import Complaint, Finding, did_you_mean
from rollout.policyfile.nodes import Keys, Scalar
from rollout.policyfile.quantities import PERCENTAGE
from rollout.policyfile.reading import located
from rollout.policyfile.writing import percent_text

FORMS: Final = "write 10%, step 2, promoted or off"
_STEP: Final = re.compile(r"step (0|[1-9][0-9]{0,3})")
_PROMOTED: Final = re.compile(r"promoted(?: candidate ([1-9][0-9]?))?")


def read_weights(
    text: str, file: str, policies: Sequence[Policy]
) -> tuple[Mapping[str, Split], tuple[Finding, ...]]:
    """Return each named policy's split, and every mistake; a policy that is not named gets no split."""
    if not text.strip():
        return {}, ()
    document = compose(text)
    found = [Finding(file, one.line, one.path, one.what, None, one.remedy) for one in document.faults]
    if not isinstance(document.root, Keys):
        if document.root is not None:
            found.append(Finding(file, document.root.line, (), "not a list of policies", None, FORMS))
        return {}, tuple(found)
    by_name = {policy.name: policy for policy in policies}
    splits, complaints = {}, []
    for name, node in document.root.entries.items():
        split = _split(name, node.text if isinstance(node, Scalar) else None, by_name)
        if isinstance(split, Complaint):
            complaints.append(split)
        else:
            splits[name] = split
    found += [located(one, file, document.root) for one in complaints]
    return splits, tuple(found)


def _split(name: str, written: str | None, policies: Mapping[str, Policy]) -> Split | Complaint:
    policy = policies.get(name)
    if policy is None:
        guess = did_you_mean(nearest(name, policies)) or "remove this line, or add the policy"
        return Complaint((name,), "no policy has this name", guess, shows_value=False)
    if written == "off":
        return Split()
    text, wrong = written or "", Complaint((name,), "not a weight", FORMS)
    if step := _STEP.fullmatch(text):
        return _step(policy, int(step[1]))
    if percentage := PERCENTAGE.fullmatch(text):
        return _weight(policy, Decimal(percentage[1]) * 100)
    if promoted := _PROMOTED.fullmatch(text):
        return _promoted(policy, promoted[1])
    return wrong


def _step(policy: Policy, number: int) -> Split | Complaint:
    last, copies = len(policy.stages), len(policy.mirror_steps)
    if number > last:
        return Complaint((policy.name,), f"the policy has {last} steps", "name one of them")
    return Split(mirror_on=number) if number <= copies else Split(steps_on=number - copies)


def _weight(policy: Policy, weight_bp: Decimal) -> Split | Complaint:
    weights = [step.weight_bp for step in policy.steps]
    if weight_bp in weights:
        return Split(steps_on=weights.index(int(weight_bp)) + 1)
    if not weights:
        return Complaint((policy.name,), "the policy has no step with a weight", "write a step, or off")
    listed = choices(percent_text(one / 10_000) for one in weights)
    # Blocks are frozen with the policy: another weight would move users between the versions.
    return Complaint((policy.name,), f"no step of the policy; its weights are {listed}", "write one of these")


def _promoted(policy: Policy, winner: str | None) -> Split | Complaint:
    count = len(policy.candidates)
    if winner is None and count > 1:
        remedy = f"write, say, promoted candidate {count}"
        return Complaint((policy.name,), f"the policy has {count} candidates", remedy)
    chosen = int(winner or 1)
    if chosen > count:
        plural = "" if count == 1 else "s"
        return Complaint((policy.name,), f"the policy has {count} candidate{plural}", "name one of them")
    return Split(steps_on=len(policy.steps), is_promoted=True, winner=chosen)
