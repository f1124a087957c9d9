"""`rollout assign`: who gets which version, and every answer on the way there."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rollout.cli.asked import STANDARD_INPUT, Question, headers_of, units_of, wrong
from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.root import epilog
from rollout.errors import printable

if TYPE_CHECKING:
    from rollout.domain.assignment import Placement, Split
    from rollout.domain.passage import Passage
    from rollout.domain.policy import Policy

LONGEST_TABLE = 1_000


@click.command(
    "assign",
    epilog=epilog(
        {
            "rollout assign churn.yaml --unit ada": "one user, every answer on the way",
            "rollout assign churn.yaml --unit ada --header x-tier=pro": "with a header that `match` reads",
            "rollout assign churn.yaml --unit ada --step 1": "as it is at the first step",
            "rollout assign churn.yaml --unit ada --promoted": "as it is after a promotion",
            "rollout assign churn.yaml --units users.txt": "many, with the share of each arm",
        }
    ),
)
@click.argument("policy", metavar="POLICY")
@click.option("--unit", "units", multiple=True, metavar="UNIT", help="Who is asking; may be repeated.")
@click.option("--units", "file", metavar="FILE", help="Many units, one on each line; - is standard input.")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME=VALUE", help="A request header; may be repeated."
)
@click.option("--path", metavar="PATH", help="The request's path.  [default: the policy's]")
@click.option("--host", metavar="HOST", help="The request's host.  [default: the policy's]")
@click.option(
    "--step",
    type=click.IntRange(min=0),
    help="A step of the policy, counted from 1; 0 is before the first.  [default: the last]",
)
@click.option("--promoted", "is_promoted", is_flag=True, help="After a promotion, while limits stay armed.")
@click.option(
    "--winner",
    type=click.IntRange(min=1),
    help="With --promoted: which candidate it was, counted from 1.  [default: 1]",
)
@click.option(
    "--layer-from",
    type=click.FloatRange(0, 100),
    default=0.0,
    show_default=True,
    metavar="PERCENT",
    help="Where the policy's range of its layer begins; the start of the experiment settles it.",
)
@output_option
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    policy: str,
    units: Sequence[str],
    file: str | None,
    headers: Sequence[str],
    path: str | None,
    host: str | None,
    step: int | None,
    is_promoted: bool,  # noqa: FBT001 (the command line passes it by name)
    winner: int | None,
    layer_from: float,
    output: str | None,
) -> None:
    """Explain who gets which version, without a proxy.

    POLICY is a file, or - for standard input. The answer is the one that the proxy gives: it depends on
    nothing but the unit, the request's headers, the policy, the step, and where its range of a layer begins.
    """
    from rollout.cli.policy_files import policy_in

    if STANDARD_INPUT == policy == file:
        raise wrong("policy and units cannot both be standard input", "name a file for one of them")
    found = policy_in(policy)
    question = Question(
        units=units_of(units, file),
        headers=headers_of(headers, found),
        path=path or found.path,
        host=host or found.host,
    )
    if winner is not None and not is_promoted:
        raise wrong("--winner says who was promoted, and --promoted is not there", "add --promoted")
    split = _split(found, step, (winner or 1) if is_promoted else None)
    if math.isnan(layer_from):
        raise wrong("--layer-from must be a percentage (got nan)", "write, say, 40")
    placement = _placed(found, split, layer_from)
    if (output or invocation.settings.output) == "json":
        print_json(_document(placement, question))
    elif len(question.units) == 1:
        _explain(placement, question)
    else:
        _tabulate(invocation, placement, question)


def _split(policy: "Policy", step: int | None, winner: int | None) -> "Split":
    from rollout.domain.assignment import Split

    last = len(policy.stages)
    if winner is not None and step is not None:
        raise wrong("--step and --promoted exclude each other", "leave one out")
    if winner is not None and winner > len(policy.candidates):
        what = f"--winner must be at most {len(policy.candidates)}, the number of candidates (got {winner})"
        raise wrong(what, "name one of them")
    if step is not None and step > last:
        raise wrong(f"--step must be at most {last}, the last step of the policy (got {step})", "name one")
    if winner is not None:
        return Split(is_promoted=True, winner=winner)
    on = last if step is None else step
    copies = len(policy.mirror_steps)
    return Split(mirror_on=on) if on <= copies else Split(steps_on=on - copies)


def _placed(policy: "Policy", split: "Split", layer_from: float) -> "Placement":
    """Return the placement; the range of a layer is what the experiment would get if it began there."""
    from rollout.domain.assignment import Placement
    from rollout.domain.buckets import Range
    from rollout.domain.policy import WHOLE_BP

    if policy.layer is None:
        return Placement(policy, 1, split)
    lo = round(layer_from * 100)
    if lo + policy.layer.share_bp > WHOLE_BP:
        share = policy.layer.share_bp / 100
        raise wrong(f"--layer-from leaves no room for {share:g}%", f"give at most {100 - share:g}")
    return Placement(policy, 1, split, Range(lo, lo + policy.layer.share_bp))


def _explain(placement: "Placement", question: Question) -> None:
    from rollout.domain.account import account
    from rollout.domain.passage import passage

    found = passage(placement, question.units[0], question.headers)
    lines = account(placement, found, path=question.path, host=question.host)
    write("".join(f"{printable(line)}\n" for line in lines))


def _tabulate(invocation: Invocation, placement: "Placement", question: Question) -> None:
    from rollout.cli.shares import row, share_row, shares
    from rollout.domain.account import ASSUMED, not_owned, scene

    if not _owns(placement, question):
        write(f"{printable(not_owned(placement.policy, question.path, question.host))}\n")
        return
    found = _passages(placement, question)
    write(f"{printable(scene(placement))}\n")
    owned = placement.layer_range
    if owned is not None and not placement.split.is_promoted:
        write(f"its layer's buckets {owned.lo:,} to {owned.hi - 1:,}: {ASSUMED}\n")
    write("\n")
    print_table([row(placement, one) for one in found[:LONGEST_TABLE]], invocation.settings.color)
    if len(found) > LONGEST_TABLE:
        write(f"and {len(found) - LONGEST_TABLE:,} more: --output json has them all\n")
    write("\n")
    print_table([share_row(one) for one in shares(placement, found)], invocation.settings.color)


def _document(placement: "Placement", question: Question) -> dict[str, object]:
    from rollout.cli.shares import entry, shares

    found = _passages(placement, question) if _owns(placement, question) else []
    split, owned = placement.split, placement.layer_range
    return {
        "policy": placement.policy.name,
        "step": None if split.is_promoted else split.mirror_on or _number(placement.policy, split.steps_on),
        "promoted": split.winner if split.is_promoted else None,
        "assumed_layer_range": None if owned is None else {"from": owned.lo, "below": owned.hi},
        "path": question.path,
        "host": question.host,
        "is_this_policys": _owns(placement, question),
        "units": [entry(placement, one) for one in found],
        "shares": [asdict(one) for one in shares(placement, found)],
    }


def _number(policy: "Policy", steps_on: int) -> int:
    return len(policy.mirror_steps) + steps_on if steps_on else 0


def _owns(placement: "Placement", question: Question) -> bool:
    from rollout.domain.assignment import owner_of

    return owner_of((placement,), question.path, question.host) is not None


def _passages(placement: "Placement", question: Question) -> "list[Passage]":
    from rollout.domain.passage import passage

    return [passage(placement, unit, question.headers) for unit in question.units]
