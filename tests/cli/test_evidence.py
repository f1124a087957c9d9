"""What a decision rests on, printed: of a running control plane, and of a folder of segments alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rollout.api.evidence import evidence_answer
from rollout.cli.exhibits import headline, lacks, metrics, outcomes, reasons, sources
from rollout.client.evidence import EvidenceAnswer
from rollout.controller.sights import Sight, Sights
from rollout.domain.judge import Patience, judge
from rollout.domain.quality import EXPOSURES, OUTCOMES, Feed, Gap, Loss, Quality, Told
from tests.api.control import POLICY, TOKEN, begin, house
from tests.command import run
from tests.domain.scenes import EXPERIMENT, NOW_US, SECOND_US, evidence

POLICY_KEYS = {"metric", "candidate", "source", "type", "window_s", "verdict", "is_measured", "control"}
POLICY_KEYS |= {"candidate_sample", "early", "told", "reports"}


@pytest.fixture(scope="module", name="sample")
def _sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a sample was written."""
    folder = tmp_path_factory.mktemp("sample")
    result = run("lake", "sample", "sample", home=folder)
    assert result.returncode == 0, result.stderr
    return folder


def shown(sample: Path, *options: str) -> dict[str, Any]:
    """Return what is computed from the sample's folder, for programs."""
    result = run(*SHOW, *options, "--output", "json", home=sample)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


SHOW = ("evidence", "show", "sample/policy.yaml", "--lake", "sample/lake")


def test_a_folder_alone_shows_every_metric(sample: Path) -> None:
    result = run(*SHOW, home=sample)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "churn-v2, revision 1: 2.0.0 against 1.4.2"
    table = {words[0]: words for line in reversed(lines) if (words := line.split())}
    assert table["converted"][1:6] == ["better", "1,500", "/", "1,500", "0.202667"]
    assert [table[name][1] for name in ("errors", "p99", "fallback")] == ["safe"] * 3
    assert "748 of 3,000" in result.stdout


def test_all_of_it_is_there_for_programs(sample: Path) -> None:
    found = shown(sample)
    assert EvidenceAnswer.model_validate(found).model_dump(mode="json") == found
    assert [set(one) for one in found["metrics"]] == [POLICY_KEYS] * 4
    log = (sample / "sample" / "access.log").read_text().splitlines()
    requests = [json.loads(line) for line in log]
    failed = [one for one in requests if one["code"] == 500 and "/candidate1/" in one["route"]]
    events, whole = found["metrics"][1]["candidate_sample"]["columns"]
    assert (events["total"], whole["total"]) == (len(failed), (len(requests) - 1) / 2)


def test_an_earlier_time_knows_less(sample: Path) -> None:
    found = shown(sample, "--at", "2025-10-09T11:00:00", "--grace", "60")
    units = [one["candidate_sample"]["units"] for one in found["metrics"] if one["candidate_sample"]]
    assert all(0 < number < 1_500 for number in units)
    assert found["at"] == found["watermark"] == "2025-10-09T11:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["churn-v2", "--revision", "1"], 2, "--revision, --at and --grace go with --lake"),
        (["sample/policy.yaml", "--lake", "nowhere"], 2, "there is no such folder"),
        (["sample/policy.yaml", "--lake", "sample"], 2, "no analysed request of churn-v2 is in it"),
        (["sample/policy.yaml", "--lake", "sample/lake", "--revision", "4"], 2, "choose one of: 1"),
        (["nothing.yaml", "--lake", "sample/lake"], 2, "nothing.yaml"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_remedy(
    sample: Path, arguments: list[str], code: int, what: str
) -> None:
    result = run("evidence", "show", *arguments, home=sample)
    assert (result.returncode, result.stdout) == (code, "")
    assert what in result.stderr


def test_a_sample_is_always_the_same_and_never_overwrites(sample: Path, tmp_path: Path) -> None:
    assert run("lake", "sample", "other", home=tmp_path).returncode == 0
    assert (tmp_path / "other" / "access.log").read_bytes() == (sample / "sample" / "access.log").read_bytes()
    again = run("lake", "sample", "sample", home=sample)
    assert again.returncode == 2
    assert "it exists already" in again.stderr


@pytest.fixture(name="running")
def _running(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield the settings of a control plane that has looked at a run once."""
    sights = Sights()
    with house(tmp_path, sight=sights.of) as served:
        begin(served.ledger)
        begun = served.ledger.runs()[0].experiment
        seen = replace(evidence(), quality=Quality(losses=(Loss(OUTCOMES, "n1", 7, NOW_US),)))
        sights.note(Sight(NOW_US, begun, seen, judge(begun, seen, NOW_US, Patience())))
        yield {"ROLLOUT_CONTROL_URL": served.url, "ROLLOUT_TOKEN": TOKEN}


def test_a_running_control_plane_shows_its_newest_look_by_name_or_by_file(
    running: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "churn.yaml").write_text(POLICY)
    for named, color in (("churn-v2", "never"), ("churn.yaml", "always")):
        result = run("evidence", "show", named, home=tmp_path, **running, ROLLOUT_COLOR=color)
        assert result.returncode == 0, result.stderr
        assert ("\x1b[35mmissing" in result.stdout) is (color == "always"), result.stdout
        assert "converted: n1 lost records (outcomes: 7), and they may be this run's" in result.stdout
        assert "n1 lost 7 outcomes" in result.stdout
    found = run("evidence", "show", "churn-v2", "--output", "json", home=tmp_path, **running)
    assert EvidenceAnswer.model_validate_json(found.stdout).metrics[0].verdict is not None


def test_people_are_told_what_holds_what_is_lost_and_what_is_left_out() -> None:
    quality = Quality(
        feeds=(
            Feed("n1", EXPOSURES, NOW_US - 90 * SECOND_US, NOW_US, 3),
            Feed("n2", OUTCOMES, None, NOW_US),
        ),
        gaps=(Gap(EXPOSURES, "n1", "0" * 32, 1_000, 2_000),),
        losses=(Loss(OUTCOMES, "n1", 0, NOW_US),),
        units=80_010,
        two_armed=10,
        ahead=4,
        told={"converted": Told(9_000, repeated=20, conflicting=1, wrong_value=5)},
    )
    seen = replace(evidence(), quality=quality, watermark_us=None, enrolled=np.array([[40_000, 30_000]]))
    found = evidence_answer(Sight(NOW_US, EXPERIMENT, seen, judge(EXPERIMENT, seen, NOW_US, Patience())))
    said = [*headline(found), *reasons(found), *lacks(found)]
    for part in (
        "nothing is filed yet, which is not fresh: n2 has not said how far its outcomes are filed",
        "NOT as split",
        "left out: 10 of 80,010 units, seen in two arms",
        "in no file: the bytes 1,000 to 2,000 of n1's exposures",
        "n1 lost an unknown number of outcomes",
        "begin in the future: 4 of 80,010 units",
    ):
        assert any(part in line for line in said), part
    assert sum(": n1 lost records" in line for line in said) == 1
    assert [one["watermark"] for one in sources(found)] == ["", "holds"]
    assert [one["age"] for one in sources(found)] == ["1m 30s", "-"]
    (rows,) = outcomes(found)
    assert (rows["rows"], rows["unusable"], rows["units reporting"]) == ("9,000", "5", "-")
    assert [one["finding"] for one in metrics(found)] == ["missing"] * 4
