"""`rollout simulate`: the same bytes for the same seed, and every mistake with its place."""

import json
from pathlib import Path

import pytest

from tests.command import ROOT, run

CHURN = str(ROOT / "policies" / "churn.yaml")
SCENARIOS = ROOT / "scenarios"
FORM = "METRIC=VALUE [for everyone] [at 12h | at step 2] [over 2d] [for 10m]"
START = "write a day and a time, UTC, such as Mon 09:00"
QUICK = ("--replicates", "6", "--every", "6h")


def simulated(home: Path, *more: str, policy: str = CHURN) -> str:
    result = run("simulate", policy, *QUICK, *more, home=home)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def refused(home: Path, *more: str) -> str:
    result = run("simulate", CHURN, *QUICK, *more, home=home)
    assert (result.returncode, result.stdout) == (2, "")
    return result.stderr


def test_text_says_how_it_ends_and_why(tmp_path: Path) -> None:
    text = simulated(tmp_path, "--effect", "errors=20%")
    assert text.startswith("churn-v2 in inline: 100 % rolled back; the naive test: 100 % undecided.\n")
    assert "6 lives, a look every 6 h and more at first, seed 1\n" in text
    assert "errors  6" in text
    assert "Users who met a harmful version, in one life: " in text


def test_json_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    first, again = (simulated(tmp_path, "--output", "json", "--seed", "3") for _ in range(2))
    assert first == again
    found = json.loads(first)
    assert (found["policy"], found["scenario"], found["replicates"], found["seed"]) == (
        "churn-v2",
        "a/a",
        6,
        3,
    )
    assert sum(one["count"] for one in found["ours"]["ends"].values()) == 6
    assert sum(one["count"] for one in found["naive"]["ends"].values()) == 6
    assert sum(one["count"] for one in found["reasons"]) == 6
    paused = found["ours"]["ends"]["paused"]
    assert 0.0 <= paused["low"] <= paused["share"] <= paused["high"] <= 1.0
    assert simulated(tmp_path, "--output", "json", "--seed", "4") != first


def test_the_page_and_the_picture_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    pages = []
    for number in range(2):
        files = [tmp_path / f"{number}.{ending}" for ending in ("html", "svg")]
        options = ("--html", str(files[0]), "--svg", str(files[1]), "--effect", "converted=+6%")
        result = run("simulate", CHURN, *QUICK, *options, home=tmp_path)
        assert result.returncode == 0
        assert result.stderr == "".join(f"wrote {file}\n" for file in files)
        pages.append([file.read_bytes() for file in files])
    assert pages[0] == pages[1]
    printed = simulated(tmp_path, "--effect", "converted=+6%", "--output", "html")
    assert printed.encode() == pages[0][0]


def test_a_file_and_more_sentences_are_one_world(tmp_path: Path) -> None:
    good = ("--scenario", str(SCENARIOS / "good.yaml"), "--output", "json")
    found = json.loads(simulated(tmp_path, *good, "--incident", "errors=20% at step 2 + 2h for 10h"))
    assert found["scenario"] == "good"
    assert found["ours"]["ends"]["rolled-back"]["count"] == 6
    silent = json.loads(simulated(tmp_path, *good, "--incident", "outcomes silent at 1d"))
    assert {one["reason"] for one in silent["reasons"]} == {"no-data-pauses"}


def test_traffic_may_be_another(tmp_path: Path) -> None:
    traffic = ("--units", "100/day", "--requests", "0.05/s")
    few = json.loads(simulated(tmp_path, *traffic, "--output", "json"))
    assert {one["reason"] for one in few["reasons"]} == {"units-too-few"}
    assert few["ours"]["ends"]["running"]["count"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--effect", "convertd=+6%"),
            (
                "rollout simulate: --effect 'convertd=+6%': churn-v2 has no metric 'convertd'; "
                "did you mean 'converted'?\n"
            ),
        ),
        (
            ("--effect", "better"),
            (f"rollout simulate: --effect must be {FORM} (got 'better'); see docs/simulate.md\n"),
        ),
        (
            ("--effect", "converted=+6"),
            (
                "rollout simulate: --effect a change must be a percentage, such as +6%, or a multiple, "
                "such as +1x (got 'converted=+6'); see docs/simulate.md\n"
            ),
        ),
        (
            ("--incident", "clock +2h at step 2"),
            (
                "rollout simulate: --incident all lives share one clock: write a time, such as `at 1d`, "
                "instead of a step (got 'clock +2h at step 2'); see docs/simulate.md\n"
            ),
        ),
        (
            ("--every", "soon"),
            (
                "rollout simulate: --every must be a number with ms, s, m, h or d, such as 15m (got 'soon'); "
                "write, say, 15m\n"
            ),
        ),
        (
            ("--every", "1s"),
            "rollout simulate: --every more than 200,000 looks (got '1s'); write, say, 15m\n",
        ),
        (
            ("--every", "0s"),
            "rollout simulate: --every must be longer than nothing (got '0s'); write, say, 15m\n",
        ),
        (
            ("--scenario", "none.yaml"),
            "none.yaml: no such file or directory; name a scenario, such as scenarios/good.yaml\n",
        ),
    ],
)
def test_a_wrong_command_line_is_refused(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    assert message in refused(tmp_path, *options)


WRONG = """\
scenario: wrong
start: Someday
effect: []
effects:
  - convertd=-2%
  - much worse
  - {converted: worse}
faults: outcomes silent
traffic: {dai: 20%, heavy: 60%, heavyTimes: 0.5}
outcomesLost: 1.5
"""


def test_every_mistake_of_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    message = refused(tmp_path, "--scenario", "wrong.yaml")
    told = [line.removeprefix("rollout: ") for line in message.splitlines()]
    for expected in (
        "wrong.yaml:3: effect: unknown key; did you mean 'effects'?",
        f"wrong.yaml:2: start: must be a day and a time (got 'Someday'); {START}",
        "wrong.yaml:5: effects[0]: churn-v2 has no metric 'convertd'; did you mean 'converted'?",
        f"wrong.yaml:6: effects[1]: must be {FORM} (got 'much worse'); see docs/simulate.md",
        "wrong.yaml:7: effects[2]: must be a sentence; put it into quotes if it has a colon",
        "wrong.yaml:8: faults: must be a list of sentences; write each as `- sentence`",
        "wrong.yaml:9: traffic.dai: unknown key; did you mean 'day'?",
        "wrong.yaml:9: traffic.heavy: must be a percentage below 50% (got 60%); write, say, 20%",
        "wrong.yaml:9: traffic.heavyTimes: must be 1 or more (got 0.5); write, say, 10",
        "wrong.yaml:10: outcomesLost: must be a percentage below 100% (got 1.5); write, say, 20%",
    ):
        assert any(line.endswith(expected) for line in told), expected
    assert len(told) == 10


def test_what_hides_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anchor.yaml").write_text("scenario: &name trap\nabout: *name\n")
    message = refused(tmp_path, "--scenario", "anchor.yaml")
    assert "anchor.yaml:1: anchors are not allowed: &name" in message
    (tmp_path / "list.yaml").write_text("- errors=20%\n")
    assert "list.yaml:1: must be keys" in refused(tmp_path, "--scenario", "list.yaml")


def test_a_group_that_a_policy_lacks_is_said(tmp_path: Path) -> None:
    policy = (ROOT / "policies" / "ranker.yaml").read_text()
    kept = [
        line for line in policy.splitlines() if "name: errors" not in line and "errors: 0.05%" not in line
    ]
    (tmp_path / "ranker.yaml").write_text("\n".join(kept) + "\n")
    result = run("simulate", "ranker.yaml", "--effect", "errors=20%", home=tmp_path)
    assert result.returncode == 2
    assert (
        "ranker-v8 has nothing that 'errors' could mean; name ctr, sessions, slow or purchases"
        in result.stderr
    )


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_what_a_scenario_s_file_says_of_a_kind_that_a_policy_lacks_is_left_out(
    tmp_path: Path, form: str
) -> None:
    shadow, scenario = str(ROOT / "policies" / "shadow.yaml"), str(SCENARIOS / "good.yaml")
    said = ("simulate", shadow, "--scenario", scenario, "--replicates", "1", "--every", "1h", "-o", form)
    result = run(*said, home=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    if form == "json":
        assert json.loads(result.stdout)["leftOut"] == ["primary"]
    else:
        assert "Left out, because translate-v5-shadow has none of the kind: primary." in result.stdout


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_scenario_fits_the_first_policy(tmp_path: Path, scenario: Path) -> None:
    policy = str(ROOT / "policies" / "first.yaml")
    result = run(
        "simulate", policy, "--replicates", "1", "--every", "1h", "--scenario", str(scenario), home=tmp_path
    )
    assert (result.returncode, result.stderr) == (0, "")
