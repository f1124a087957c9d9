"""Pages of experiments, in the order of their starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from rollout.api.problems import Refusal
from rollout.client.answers import ExperimentAnswer, ExperimentsAnswer
from rollout.domain.experiment import Phase
from rollout.errors import Problem
from rollout.ports import Standing


def page_of(
    known: Mapping[str, Standing],
    answer: Callable[[Standing], ExperimentAnswer],
    *,
    phase: Phase | None,
    after: str | None,
    limit: int,
) -> ExperimentsAnswer:
    """Return so many of those known, by name, that follow one of them and are in a phase."""
    if after is not None and after not in known:
        what, remedy = "no experiment of that name is known any more", "begin with the first page again"
        raise Refusal(HTTPStatus.NOT_FOUND, Problem(f"after={after}", what, remedy))
    rest = list(known.values())[0 if after is None else list(known).index(after) + 1 :]
    wanted = [run for run in rest if phase in {None, run.experiment.phase}]
    shown = tuple(answer(run) for run in wanted[:limit])
    return ExperimentsAnswer(experiments=shown, next_after=shown[-1].name if len(wanted) > limit else None)
