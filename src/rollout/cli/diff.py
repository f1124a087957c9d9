"""`rollout diff`: what a change of a policy means, before it is made."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, write
from rollout.cli.root import epilog
from rollout.errors import (
    ExitCode,
    NotReadable,
    Problem,
    RolloutError,
    WrongPolicy,
    WrongUsage,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout.domain.change import Difference, Effect
    from rollout.domain.policy import Policy

VERB = "rollout diff"
STANDARD_INPUT = "-"


@click.command(
    "diff",
    epilog=epilog(
        {
            "rollout diff churn.yaml churn-next.yaml": "every changed key, and what it means",
            "git show HEAD:churn.yaml | rollout diff - churn.yaml": "against the last commit",
            "rollout diff --output json old.yaml new.yaml": "for programs",
        }
    ),
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@output_option
@pass_invocation
def verb(invocation: Invocation, old: str, new: str, output: str | None) -> int:
    """Say what a change of a policy means for people and statistics.

    OLD and NEW are files; one of them may be - for standard input. Exit code 0: nothing changes, or all of it
    takes effect at once. Exit code 1: it is a new revision, another experiment, or it is refused.
    """
    from rollout.domain.change import compare

    before, after = _both(old, new)
    found = compare(before, after)
    if (output or invocation.settings.output) == "json":
        print_json(_document(before, after, found))
    else:
        write("".join(f"{printable(line)}\n" for line in told(before, after, found)))
    return ExitCode.FINE if found.effect.is_at_once else ExitCode.FINDINGS


def _both(old: str, new: str) -> "tuple[Policy, Policy]":
    """Return both policies; what is wrong with either is said at once."""
    from rollout.cli.policy_files import policy_in

    if old == new == STANDARD_INPUT:
        raise WrongUsage(Problem(VERB, "both policies cannot be standard input", "name a file for one"))
    found, wrong = [], []
    for name in (old, new):
        try:
            found.append(policy_in(name))
        except (NotReadable, WrongPolicy) as error:
            wrong.append(_explained(name, error))
    if wrong:
        kind = NotReadable if any(isinstance(error, NotReadable) for error in wrong) else WrongPolicy
        raise kind(*dict.fromkeys(problem for error in wrong for problem in error.problems))
    before, after = found
    return before, after


def _explained(name: str, error: RolloutError) -> RolloutError:
    """Return the error; a name like git's is not a file, and git can show what it stands for."""
    if isinstance(error, NotReadable) and ":" in name and not Path(name).exists():
        remedy = f"name a file, or let git read it: git show {name} | {VERB} - FILE"
        return NotReadable(*(Problem(one.where, one.what, remedy) for one in error.problems))
    return error


def told(old: "Policy", new: "Policy", found: "Difference") -> "Iterator[str]":
    """Tell a difference line by line, what weighs most first."""
    from rollout.domain.change import Effect

    if not found.changes:
        yield f"{old.name}: both files mean the same"
    elif found.effect is Effect.OTHER_EXPERIMENT:
        yield from _apart(old, new, found)
    else:
        yield f"{old.name}: {_keys(len(found.changes), '')}"
        for effect in reversed(Effect):
            changes = [change for change in found.changes if change.effect is effect]
            if changes:
                # What weighs more decides over the rest too.
                alone = "" if effect is found.effect else "without the above: "
                yield from ("", f"{alone}{effect.value}")
            for change in changes:
                yield f"  {change.key}: {_value(change.before)} before, {_value(change.after)} now"
                yield f"    {change.meaning}"
        if found.people:
            yield from ("", "the users", *(f"  {sentence}" for sentence in found.people))


def _apart(old: "Policy", new: "Policy", found: "Difference") -> "Iterator[str]":
    yield f"{old.name} and {new.name} are two policies: neither is a change of the other, the names differ"
    yield f"a run of {old.name} goes on as it is; {new.name} would be an experiment of its own"
    yield from found.people
    others = [change for change in found.changes if change.key != "metadata.name"]
    if others:
        yield from ("", _keys(len(others), "other "))
    for change in others:
        yield f"  {change.key}: {_value(change.before)} in the first, {_value(change.after)} in the second"


def _keys(count: int, which: str) -> str:
    return f"{count} {which}key differs" if count == 1 else f"{count} {which}keys differ"


def _value(written: str | None) -> str:
    return "not written" if written is None else written


def _document(old: "Policy", new: "Policy", found: "Difference") -> dict[str, object]:
    return {
        "old": old.name,
        "new": new.name,
        "effect": _word(found.effect) if found.changes else None,
        "changes": [
            {
                "key": change.key,
                "before": change.before,
                "after": change.after,
                "effect": _word(change.effect),
                "meaning": change.meaning or None,
            }
            for change in found.changes
        ],
        "people": list(found.people),
    }


def _word(effect: "Effect") -> str:
    return effect.name.lower().replace("_", "-")
