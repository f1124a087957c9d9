"""`rollout simulate`: a policy lived through many times in a made-up world, before it runs."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from rollout.cli.expected import Expected, expected_options
from rollout.cli.files import save
from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import print_json, print_table, write
from rollout.cli.root import epilog
from rollout.cli.usage import OneOf
from rollout.errors import Problem, WrongUsage, printable

if TYPE_CHECKING:
    from rollout.domain.policy import Policy
    from rollout.settings.settings import Color
    from rollout.simulation.result import Result
    from rollout.simulation.scenario import Effect, Fault, Scenario
    from rollout.simulation.simulate import Simulated

VERB = "rollout simulate"
REPLICATES = 200
MOST_REPLICATES = 100_000
INLINE = "inline"

Said = TypeVar("Said")


@click.command(
    "simulate",
    epilog=epilog(
        {
            "rollout simulate churn.yaml --scenario scenarios/good.yaml": "a world from a file",
            "rollout simulate churn.yaml --effect converted=+6%": "a better candidate",
            "rollout simulate churn.yaml --incident 'errors=20% at step 2 for 10m'": "a bad ten minutes",
            "rollout simulate churn.yaml --incident 'outcomes silent at 1d'": "nothing is reported any more",
            "rollout simulate churn.yaml --effect converted=-2% --html lives.html": "a page with pictures",
        }
    ),
)
@click.argument("policy", metavar="POLICY")
@click.option("--scenario", "file", metavar="FILE", help="The world, such as scenarios/good.yaml.")
@click.option(
    "--effect", "effects", multiple=True, metavar="SENTENCE", help="How a metric differs; may be repeated."
)
@click.option(
    "--incident",
    "incidents",
    multiple=True,
    metavar="SENTENCE",
    help="What goes wrong, and when; may be repeated.",
)
@click.option(
    "--replicates",
    type=click.IntRange(1, MOST_REPLICATES),
    default=REPLICATES,
    show_default=True,
    help="How many lives are lived.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same bytes.",
)
@click.option(
    "--every", metavar="SPAN", help="How often is looked, such as 15m.  [default: from the outcome windows]"
)
@expected_options
@click.option("--html", metavar="FILE", help="Write a page with pictures to this file.")
@click.option("--svg", metavar="FILE", help="Write the picture alone to this file.")
@click.option(
    "-o",
    "--output",
    type=OneOf(["text", "json", "html"]),
    help="How to print the result.  [default: the setting `output`]",
)
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    policy: str,
    file: str | None,
    effects: Sequence[str],
    incidents: Sequence[str],
    replicates: int,
    seed: int,
    every: str | None,
    units: str | None,
    requests: str | None,
    levels: Sequence[str],
    html: str | None,
    svg: str | None,
    output: str | None,
) -> None:
    """Live a policy through many times, and say how it ends.

    POLICY is a file, or - for standard input. Every look is judged and decided as the control plane does it,
    on evidence that is drawn; beside it stands what a naive test would have done with the same users.
    Without a scenario the candidate is the baseline under another name.
    """
    from rollout.cli.expected import policy_with
    from rollout.cli.policy_files import reading_in
    from rollout.controller.zones import may_move_up
    from rollout.simulation.lives import Course
    from rollout.simulation.result import result

    form = output or invocation.settings.output
    found = policy_with(VERB, reading_in(policy), Expected(units, requests, levels))
    scenario = _scenario(found, file, effects, incidents)
    course = Course(found, scenario, _interval_s(found, scenario, every), may_move_up)
    simulated = result(_simulated(course, replicates, seed, invocation.color))
    if html is not None or form == "html":
        from rollout.render.simulation_page import simulation_page

        page = simulation_page(simulated)
        if html is not None:
            save(html, page)
        if form == "html":
            write(page)
    if svg is not None:
        from rollout.render.simulation_chart import simulation_chart

        save(svg, simulation_chart(simulated) + "\n")
    if form == "json":
        from rollout.render.simulation_document import document

        print_json(document(simulated))
    elif form == "text":
        _print(simulated, invocation.color)


def _scenario(
    policy: "Policy", file: str | None, effects: Sequence[str], incidents: Sequence[str]
) -> "Scenario":
    """Return the world of a file, with what the command line adds to it."""
    from rollout.cli.scenario_files import scenario_in
    from rollout.simulation.scenario import Fault, Scenario

    said = [*(_said(policy, "--effect", one) for one in effects)]
    said += [_said(policy, "--incident", one) for one in incidents]
    known = scenario_in(file, policy) if file is not None else None
    if known is None:
        about = "; ".join([*effects, *incidents])
        known = Scenario(INLINE, printable(about)) if said else Scenario()
    more = tuple(one for one in said if not isinstance(one, Fault))
    faults = tuple(one for one in said if isinstance(one, Fault))
    return replace(known, effects=(*known.effects, *more), faults=(*known.faults, *faults))


def _said(policy: "Policy", option: str, sentence: str) -> "Effect | Fault":
    """Return what a sentence says; raises `WrongUsage` when it cannot be understood, or fits no metric."""
    from rollout.cli.scenario_files import misfit
    from rollout.simulation.sentences import effect, fault

    if option == "--incident" and "=" not in sentence:
        return _understood(option, sentence, fault)
    found = _understood(option, sentence, effect)
    wrong = misfit(policy, found.metric)
    if wrong is not None:
        raise WrongUsage(Problem(VERB, f"{option} {sentence!r}: {wrong[0]}", wrong[1]))
    return found


def _understood(option: str, sentence: str, meant: Callable[[str], Said]) -> Said:
    try:
        return meant(sentence)
    except ValueError as error:
        what = f"{option} {error} (got {sentence!r})"
        raise WrongUsage(Problem(VERB, what, "see docs/simulate.md")) from None


def _interval_s(policy: "Policy", scenario: "Scenario", every: str | None) -> float:
    from rollout.simulation.schedule import look_times, usual_interval_s
    from rollout.simulation.sentences import span_s

    if every is None:
        return usual_interval_s(policy)
    try:
        found = span_s(every)
        if found > 0:
            look_times(policy, scenario, found)
    except ValueError as error:
        raise WrongUsage(Problem(VERB, f"--every {error} (got {every!r})", "write, say, 15m")) from None
    if not found > 0:
        what = f"--every must be longer than nothing (got {every!r})"
        raise WrongUsage(Problem(VERB, what, "write, say, 15m"))
    return found


def _simulated(course: object, replicates: int, seed: int, color: "Color") -> "Simulated":
    from rollout.simulation.lives import Course
    from rollout.simulation.simulate import simulate

    assert isinstance(course, Course)  # noqa: S101 (ours: made a few lines above)
    with _progress(color) as on_progress:
        return simulate(
            course,
            replicates=replicates,
            seed=seed,
            processes=os.cpu_count() or 1,
            on_progress=on_progress,
        )


@contextmanager
def _progress(color: "Color") -> "Iterator[Callable[[float], None]]":
    """Show on a terminal how far it is; elsewhere say nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from rollout.cli.output import moves_cursor, wants_color

    console = Console(stderr=True)
    if not (console.is_terminal and moves_cursor()):
        yield lambda _: None
        return
    console.no_color = not wants_color(color, on_terminal=True)
    share = TextColumn("{task.percentage:.0f} %")
    columns = (TextColumn("simulating"), BarColumn(), share, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _print(simulated: "Result", color: "Color") -> None:
    """Print the answer, the tables, and how to read them."""
    from rollout.render.simulation_words import READING, answer, ends, harm, lacking, reasons, setting

    course = simulated.simulated.course
    write(f"{printable(course.policy.name)} in {printable(course.scenario.name)}: {answer(simulated)}\n")
    write(f"{printable(course.scenario.about)}\n" if course.scenario.about else "")
    write(f"{printable(lacking(simulated))}\n" if lacking(simulated) else "")
    write(f"{setting(simulated)}\n\n")
    print_table(ends(simulated), color)
    write("\n")
    print_table(reasons(simulated), color)
    write(f"\n{harm(simulated)}\n")
    write("".join(f"\n{line}\n" for line in READING))
