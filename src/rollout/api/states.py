"""How a caller names the state that it saw (RFC 9110, If-Match): the run, and how often it was recorded."""

from __future__ import annotations

from rollout.client.answers import ExperimentAnswer
from rollout.ports import Standing

ANY = "*"


def etag(run: Standing) -> str:
    """Return the tag of a run's present state."""
    return f'"{run.experiment.uid}-{run.version}"'


def etag_of(answer: ExperimentAnswer) -> str:
    """Return the tag of the state that an answer shows."""
    return f'"{answer.uid}-{answer.version}"'


def matches(if_match: str | None, present: str) -> bool:
    """Return whether a state is one of those that were asked about; who names none asks about any."""
    if if_match is None or if_match.strip() == ANY:
        return True
    return present in {one.strip() for one in if_match.split(",")}
