"""Every answer of the lake equals the obvious recount, to the microsecond and the last unit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.records import Run
from rollout.lake.segments import Kind
from tests.lake import histories, oracle
from tests.lake.cold import Lake, Trouble
from tests.lake.histories import (
    BEGIN_US,
    CLOSING,
    LIMIT_US,
    OUTCOMES,
    REQUESTS,
    RUN,
    WINDOW_US,
    Request,
    Told,
    request_at,
)


@settings(max_examples=60)
@given(
    st.lists(REQUESTS, max_size=30),
    st.lists(REQUESTS, max_size=8),
    st.lists(OUTCOMES, max_size=16),
    st.integers(1, 3),
)
def test_answers_equal_a_recount_in_plain_python(
    here: list[Request], there: list[Request], told: list[Told], cuts: int
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        histories.file_exposures(folder, here, node="node-1", cuts=cuts)
        histories.file_exposures(folder, there, node="node-2")
        histories.file_outcomes(folder, told, node="node-1")
        histories.file_outcomes(folder, told[:3], node="node-2")  # an application that tried again elsewhere
        lake, requests = Lake(folder), here + there
        enrolled = lake.enrolment(RUN)
        assert (enrolled.units, enrolled.two_armed) == oracle.enrolment(requests)
        step = lake.enrolment(RUN, enrolled_from_us=histories.BEGIN_US + 5_000_000)
        assert (step.units, step.two_armed) == oracle.enrolment(requests, histories.BEGIN_US + 5_000_000)
        for metric in ("bought", "clicked"):
            found = {
                dataclasses.astuple(stratum): dataclasses.astuple(sums)
                for stratum, sums in lake.binary(RUN, metric, CLOSING).items()
            }
            assert found == oracle.successes(requests, told, metric)
        kinds: list[tuple[str, Trouble | int]] = [
            ("errors", Trouble.ERROR),
            ("fallbacks", Trouble.FALLBACK),
            ("slow", LIMIT_US),
        ]
        for kind, counted in kinds:
            sums_of = {
                dataclasses.astuple(stratum): dataclasses.astuple(sums)
                for stratum, sums in lake.ratio(RUN, counted, CLOSING).items()
            }
            assert sums_of == oracle.ratios(requests, kind)


def test_an_outcome_counts_once_by_key_and_only_inside_its_units_window(tmp_path: Path) -> None:
    cases = [
        ([(-5_000_001, 1, "k")], 0),
        ([(-5_000_000, 1, "k")], 1),
        ([(WINDOW_US - 1, 1, "k")], 1),
        ([(WINDOW_US, 1, "k")], 0),
        ([(0, 0, "k")], 0),
        ([(7, 1, "k"), (7, 0, "k")], 0),  # of one key the least (time, value) stands
        ([(7, 1, "k"), (8, 0, "k")], 1),
        ([(-6_000_000, 1, "k"), (7, 1, "k")], 0),
        ([(-6_000_000, 1, "k"), (7, 1, "another")], 1),
        ([(7, 1, "k"), (7, 1, "k"), (8, 1, "another")], 1),
    ]
    requests = [request_at(0, unit=f"unit {place}") for place in range(len(cases))]
    told = [
        Told(f"unit {place}", "bought", BEGIN_US + since, value, key)
        for place, (outcomes, _) in enumerate(cases)
        for since, value, key in outcomes
    ]
    histories.file_exposures(tmp_path, requests, node="node-1")
    histories.file_outcomes(tmp_path, told, node="node-1")
    (found,) = Lake(tmp_path).binary(RUN, "bought", CLOSING).values()
    assert (found.units, found.successes) == (len(cases), sum(counts for _, counts in cases))
    assert oracle.successes(requests, told, "bought") == {
        ("control", 1, BEGIN_US // 86_400_000_000): (found.units, found.successes)
    }


def test_an_empty_lake_has_no_units(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.enrolment(RUN).units == {}
    assert lake.binary(RUN, "bought", CLOSING) == {}
    assert lake.ratio(RUN, Trouble.ERROR, CLOSING) == {}


def test_requests_before_the_experiment_began_belong_to_an_older_one(tmp_path: Path) -> None:
    request = {
        "unit": "ada",
        "rev": "3",
        "route": "ranker/control/1",
        "served": "c",
        "att": 1,
        "code": 200,
        "flags": "-",
        "det": "-",
        "dur_us": 5,
    }
    times = [f"{histories.BEGIN_US // 1_000_000}.000000", f"{histories.BEGIN_US // 1_000_000}.000001"]
    histories.file_exposures(tmp_path, [{**request, "ts": ts} for ts in times], node="node-1")
    since = histories.BEGIN_US // 1_000_000 * 1_000_000 + 1
    found = Lake(tmp_path).ratio(RUN, Trouble.ERROR, dataclasses.replace(CLOSING, since_us=since))
    assert [sums.x for sums in found.values()] == [1]
    assert Lake(tmp_path).enrolment(Run("ranker", 4)).units == {}


def test_names_in_paths_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / "it's a lake"
    request: Request = {
        "ts": "1700000000.000001",
        "unit": "ada",
        "rev": "3",
        "route": "ranker/control/1",
        "served": "c",
        "att": 1,
        "code": 200,
        "flags": "-",
        "det": "-",
        "dur_us": 5,
    }
    histories.file_exposures(folder, [request], node="node-1")
    assert (folder / Kind.EXPOSURES).is_dir()
    assert Lake(folder).enrolment(RUN).units == {("control", 1): 1}
