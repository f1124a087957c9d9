"""A look at a folder of segments alone equals the look of the control plane that filed them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rollout.api.evidence import evidence_answer
from rollout.client.evidence import EvidenceAnswer
from rollout.controller.sights import Sight
from rollout.domain.judge import judge
from rollout.domain.quality import Gap
from rollout.domain.verdict import Finding
from rollout.errors import NotReadable
from rollout.intake import bare
from rollout.lake.segments import Kind
from tests.intake.test_evidence import LIVE, MINUTE_US, PATIENCE, SECOND_US, experiment, place
from tests.lake import histories, oracle
from tests.lake.histories import BEGIN_US, Request, request_at

UNITS = 400
HOUR_US = 3_600 * SECOND_US
LASTING_US = 3 * HOUR_US


def ignore(_done: int, _all: int | None) -> None:
    """Show no progress."""


def asked(folder: Path, *, revision: int | None = None, at_us: int | None = None) -> bare.Asked:
    return bare.Asked(folder, LIVE, revision, at_us, PATIENCE)


def history() -> tuple[list[Request], list[histories.Told]]:
    """Return three hours of requests and outcomes, some of other runs, others nobody's."""
    chance = random.Random(3)  # noqa: S311 (a history, no secret)
    requests, outcomes = [], []
    for number in range(UNITS):
        arm = ("control", "candidate1")[number % 2]
        since_us = 12 * SECOND_US + number * LASTING_US // UNITS
        for visit in range(2):
            code = 500 if chance.random() < 0.05 else 200
            at_us = since_us + visit * 30 * SECOND_US
            requests.append(request_at(at_us, unit=f"u{number}", route=f"ranker/{arm}/1", code=code))
        requests.append(request_at(since_us, unit=f"r{number}", route="ranker/rest", code=500))
        if chance.random() < 0.3:
            outcomes.append(
                histories.Told(f"u{number}", "bought", BEGIN_US + since_us + SECOND_US, 1, f"k{number}")
            )
    outcomes.append(histories.Told("u1", "clicked", BEGIN_US + SECOND_US, 1, "other"))
    return sorted(requests, key=oracle.time_of), outcomes


def lake(folder: Path) -> Path:
    """Return a lake that somebody else's intake filed: three segments of requests, one of outcomes."""
    requests, outcomes = history()
    histories.file_exposures(folder, requests, node="node-1", cuts=3)
    histories.file_outcomes(folder, outcomes, node="app-1")
    return folder


def comparable(found: EvidenceAnswer) -> EvidenceAnswer:
    """Return what does not depend on who handed the records in, nor on when the step is thought to begin."""
    quality = found.quality.model_copy(update={"feeds": ()})
    return found.model_copy(update={"quality": quality, "units_in_step": (), "held_by": None})


@pytest.mark.parametrize("until_us", [LASTING_US + 20 * MINUTE_US, LASTING_US // 2])
def test_a_folder_alone_answers_as_the_control_plane_did(tmp_path: Path, until_us: int) -> None:
    requests, outcomes = history()
    now_us = BEGIN_US + until_us
    run = experiment(LIVE, started_us=oracle.time_of(requests[0]))
    with place(run) as here:
        for hour in range(4):
            first_us = BEGIN_US + hour * HOUR_US
            last_us = min(first_us + HOUR_US, now_us)
            here.clock[0] = last_us
            here.file(
                [one for one in requests if first_us <= oracle.time_of(one) < last_us],
                [one for one in outcomes if first_us <= one.ts_us < last_us],
                node=f"node-{hour}",
            )
        here.filed_until(now_us)
        live = here.look(run, now_us)
    expected = evidence_answer(Sight(now_us, run, live, judge(run, live, now_us, PATIENCE)))
    found = evidence_answer(bare.look(asked(lake(tmp_path), at_us=now_us), on_read=ignore))
    assert comparable(found) == comparable(expected)
    measured = [one.metric for one in found.metrics if one.candidate_sample and one.candidate_sample.units]
    assert measured == ["bought", "errors", "p99", "fallback"]


def test_without_a_time_it_looks_at_the_newest_record_and_tells_how_far_it_is(tmp_path: Path) -> None:
    requests, _ = history()
    steps: list[tuple[int, int | None]] = []
    found = bare.look(asked(lake(tmp_path)), on_read=lambda done, due: steps.append((done, due)))
    assert found.at_us == oracle.time_of(requests[-1]) + 1
    assert found.experiment.started_us == oracle.time_of(requests[0])
    assert steps == [(number, steps[0][1]) for number in range(1, len(steps) + 1)]
    assert steps[-1][0] == steps[-1][1]


def test_a_gap_between_a_folders_files_is_named(tmp_path: Path) -> None:
    folder = lake(tmp_path)
    _, middle, _ = sorted((folder / Kind.EXPOSURES).glob("*.parquet"))
    start, _, end = middle.stem.split("~")[-1].partition("-")
    middle.unlink()
    found = bare.look(asked(folder), on_read=ignore)
    assert found.evidence.quality.gaps == (Gap(Kind.EXPOSURES, "node-1", "0" * 32, int(start), int(end)),)
    assert {one.finding for one in found.judgement.verdicts} == {Finding.MISSING}


def test_what_a_folder_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="no analysed request of ranker is in it"):
        bare.look(asked(tmp_path), on_read=ignore)
    with pytest.raises(NotReadable, match="it holds nothing of revision 9; choose one of: 3"):
        bare.look(asked(lake(tmp_path), revision=9), on_read=ignore)
