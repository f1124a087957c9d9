"""`rollout plan`: the page shows what it prints; exit codes; options beside `expect`; a narrow terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rollout.cli.expected import Expected, policy_with
from rollout.domain.policy import Level
from rollout.errors import WrongUsage
from rollout.policyfile.reading import read
from tests.command import ROOT, environment, run
from tests.policyfile.files import changed

PAGE = ROOT / "docs" / "plan.md"
EXAMPLE = re.compile(r"^```console\n\$ rollout (?P<command>.*)\n(?P<output>(?:.*\n)*?)```$", re.MULTILINE)
COMMANDS = [match["command"] for match in EXAMPLE.finditer(PAGE.read_text(encoding="utf-8"))]
WHOLE = changed("12%}", "12%, errors: 0.2%, p99: 0.4%}", changed("until: verdict", "for: 6d, until: verdict"))
MISSING = changed("expect: {units: 400000/day, requests: 200/s, converted: 12%}", "expect: {}")
SHADOW = (ROOT / "tests" / "golden" / "plans" / "shadow.yaml").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a policy."""
    (tmp_path / "churn.yaml").write_text(WHOLE)
    return tmp_path


def test_the_page_has_examples() -> None:
    assert len(COMMANDS) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_shows_what_is_printed(command: str, *, update_golden: bool) -> None:
    result = run(*shlex.split(command), home=ROOT)
    assert result.returncode == (3 if "--units" in command else 0), result.stderr
    shown = f"```console\n$ rollout {command}\n{result.stdout}```"
    if update_golden:
        text = PAGE.read_text(encoding="utf-8")
        written = EXAMPLE.sub(lambda match: shown if match["command"] == command else match[0], text)
        PAGE.write_text(written, encoding="utf-8")
    assert shown in PAGE.read_text(encoding="utf-8")


def test_a_policy_that_concludes(home: Path) -> None:
    result = run("plan", "churn.yaml", home=home)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("churn-v2: Concludes in about ")
    rows = {line.split()[0]: line for line in lines if line}
    assert {"converted", "errors", "p99", "fallback", "steps[0]", "steps[2]"} <= set(rows)
    assert not any("\x1b" in line for line in lines)


def test_a_policy_from_standard_input(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "rollout", "plan", "-"],
        env=environment(tmp_path),
        input=WHOLE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0
    assert result.stdout.startswith("churn-v2: Concludes in about ")


def test_a_policy_that_cannot_conclude_is_refused_with_its_place_and_the_number(home: Path) -> None:
    result = run("plan", "churn.yaml", "--units", "20000/day", "--level", "converted=3.1%", home=home)
    assert result.returncode == 3
    assert result.stdout.startswith("churn-v2: Cannot conclude: ")
    line = 1 + WHOLE[: WHOLE.index("setWeight: 50%")].count("\n")
    assert re.search(
        rf"^churn.yaml:{line}: spec.steps\[2\].hold.atMost: converted takes about \d+ d, and .*; "
        r"write atMost: \d+d, or metrics\[0\].minEffect: [\d.]+%, or have [\d,]+ eligible units a day$",
        result.stdout,
        re.MULTILINE,
    )


def test_options_win_over_the_file(home: Path) -> None:
    def units(*arguments: str) -> float:
        result = run("plan", "churn.yaml", "-o", "json", *arguments, home=home)
        return float(json.loads(result.stdout)["metrics"][0]["units"])

    assert units("--level", "converted=6%") > 1.9 * units()
    result = run("plan", "churn.yaml", "-o", "json", "--units", "800000/day", "--requests", "1/s", home=home)
    document = json.loads(result.stdout)
    assert (document["units_per_day"], document["requests_per_s"]) == (800_000, 1)


def test_json_has_every_number_and_every_place(home: Path) -> None:
    result = run("plan", "churn.yaml", "-o", "json", "--units", "20000/day", home=home)
    assert result.returncode == 3

    def refuse(word: str) -> object:
        raise AssertionError(word)

    document = json.loads(result.stdout, parse_constant=refuse)
    assert (document["name"], document["concludes"], document["promotes"]) == ("churn-v2", False, True)
    assert [step["number"] for step in document["steps"]] == [0, 1, 2]
    assert [one["name"] for one in document["metrics"]] == ["converted", "errors", "p99", "fallback"]
    advice = document["advice"][0]
    assert advice["gravity"] == "refusal"
    assert advice["path"] == "spec.steps[2].hold.atMost"
    assert advice["message"].startswith(f"churn.yaml:{advice['line']}: {advice['path']}: ")


def test_copies_alone_are_planned_without_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "shadow.yaml").write_text(SHADOW)
    result = run("plan", "shadow.yaml", "--svg", "shadow.svg", home=tmp_path)
    assert result.returncode == 0, result.stderr
    name, answer = result.stdout.splitlines()[0].split(": ", 1)
    assert name == "translate-v5-shadow"
    assert answer == "Never promotes: only copies requests, and stops after 1 d 4 h."
    assert re.search(r"^steps\[1\]  10 %    4 h     86,400$", result.stdout, re.MULTILINE)
    assert "86,400 copies" in (tmp_path / "shadow.svg").read_text()


def test_a_page_and_a_picture_are_written(home: Path) -> None:
    result = run("plan", "churn.yaml", "--html", "plan.html", "--svg", "plan.svg", home=home)
    assert result.returncode == 0
    assert result.stderr == "wrote plan.html\nwrote plan.svg\n"
    assert (home / "plan.html").read_text().startswith("<!doctype html>")
    assert ET.parse(home / "plan.svg").getroot().tag.endswith("svg")  # noqa: S314 (ours)


def test_a_refused_plan_is_drawn_too(home: Path) -> None:
    result = run("plan", "churn.yaml", "--units", "20000/day", "--svg", "plan.svg", home=home)
    assert result.returncode == 3
    assert "gives up" in (home / "plan.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--units", "400000"), "--units must be a rate such as 400000/day (got '400000')"),
        (("--units", "0/day"), "--units must be more than 0 (got '0/day')"),
        (("--requests", "200/day"), "--requests must be a rate such as 200/s (got '200/day')"),
        (("--level", "converted"), "--level must be NAME=LEVEL (got 'converted')"),
        (("--level", "converted=12%,31"), "--level must be NAME=LEVEL (got 'converted=12%,31')"),
        (("--level", "converted=12%,sd="), "--level must be NAME=LEVEL (got 'converted=12%,sd=')"),
        (("--level", "converted=120%"), "--level converted must be a share between 0% and 100%"),
        (("--level", "converted=99%"), "--level converted leaves no room for minEffect: 99% grown by 5%"),
        (("--level", "converted=1e3"), "--level converted must be a number such as 3.1, a percentage"),
        (("--level", "p99=80ms"), "--level p99 must be the share of requests that exceed the limit"),
        (
            ("--level", "convertd=12%"),
            "--level convertd is neither units, requests nor the name",
        ),
        (("--level", "units=5"), "units is no metric"),
        (("--level", "converted=12%,sd=-1"), "--level converted must be more than 0 (got '-1')"),
    ],
)
def test_wrong_options_are_named(arguments: tuple[str, str], complaint: str) -> None:
    option, value = arguments
    said = Expected(
        units=value if option == "--units" else None,
        requests=value if option == "--requests" else None,
        levels=[value] if option == "--level" else [],
    )
    with pytest.raises(WrongUsage) as caught:
        policy_with("rollout plan", read(WHOLE, "churn.yaml"), said)
    (problem,) = caught.value.problems
    assert problem.where == "rollout plan"
    assert complaint in problem.what


def test_a_level_keeps_what_else_the_file_knows_of_it() -> None:
    revenue = (
        "    - {name: revenue, role: guardrail, source: outcomes, type: mean, cap: 500, direction: increase,"
        " margin: 5%, window: 24h}\n    - {name: errors"
    )
    text = changed("    - {name: errors", revenue, WHOLE)
    keyed = changed("p99: 0.4%}", "p99: 0.4%, revenue: {mean: 3.1, sd: 9}}", text)
    plain = changed("p99: 0.4%}", "p99: 0.4%, revenue: 3.1}", text)

    def known(file: str, *levels: str) -> Level:
        policy = policy_with("rollout plan", read(file, "a.yaml"), Expected(None, None, levels))
        assert policy.expect.units_per_day == 400_000
        return (policy.expect.levels or {})["revenue"]

    assert known(keyed) == Level(3.1, 9.0)
    assert known(keyed, "revenue=4") == Level(4.0, 9.0)
    assert known(keyed, "revenue=4,sd=10") == Level(4.0, 10.0)
    assert known(plain, "revenue=4,sd=10") == Level(4.0, 10.0)
    assert known(text, "revenue=4,sd=10") == Level(4.0, 10.0)
    assert known(text, "revenue=4", "revenue=5") == Level(5.0)


def test_every_wrong_option_is_named_at_once(home: Path) -> None:
    result = run("plan", "churn.yaml", "--units", "x", "--requests", "y", home=home)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "rollout plan: --units must be a rate such as 400000/day (got 'x'); write, say, --units 400000/day\n"
        "rollout plan: --requests must be a rate such as 200/s (got 'y'); write, say, --requests 200/s\n"
    )
    guessed = run("plan", "churn.yaml", "--level", "convertd=12%", home=home)
    assert guessed.stderr.endswith("; did you mean 'converted'?\n")


def test_what_expect_does_not_say_is_named_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text(MISSING)
    result = run("plan", "bare.yaml", "--html", "plan.html", home=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "bare.yaml:10: spec.expect.units: not written, so nothing can be said of time; "
        "write the eligible units of a day, such as `units: 400000/day`, or give --units 400000/day\n"
        "bare.yaml:10: spec.expect.converted: not written, so its proof cannot be planned; "
        "write the baseline's share of units that do it, such as `converted: 12%`, "
        "or give --level converted=…\n"
    )
    assert not (tmp_path / "plan.html").exists()
    given = run("plan", "bare.yaml", "--units", "400000/day", "--level", "converted=12%", home=tmp_path)
    assert given.returncode == 0
    assert "Concludes, as far as is known, in about " in given.stdout
    assert "spec.expect.requests: warning: not written" in given.stdout


def test_a_wrong_file_is_told_as_lint_tells_it(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(changed("minEffect: 5%", "minEfect: 5%"))
    result = run("plan", "wrong.yaml", home=tmp_path)
    assert result.returncode == 2
    assert "spec.metrics[0].minEfect: unknown key; did you mean 'minEffect'?" in result.stderr


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_what_cannot_be_read_or_written_is_one_sentence(name: str, home: Path) -> None:
    result = run("plan", name, home=home)
    assert result.returncode == 2
    assert result.stderr.startswith(f"{name}: ")
    assert result.stderr.endswith("; name a policy file that can be read\n")
    unwritable = run("plan", "churn.yaml", "--svg", "nowhere/plan.svg", home=home)
    assert unwritable.returncode == 2
    assert "nowhere/plan.svg: no such file or directory; name a file that can be written" in unwritable.stderr


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_no_line_of_a_table_is_wider_than_a_narrow_terminal(columns: int, home: Path) -> None:
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "rollout", "plan", "churn.yaml"],
        cwd=home,
        env=environment(home, TERM="xterm", COLUMNS=str(columns), LINES="40"),
        stdout=child,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(child)
        seen = bytearray()
        try:
            while piece := os.read(parent, 65_536):
                seen += piece
        except OSError:  # Linux says so when the other end is closed
            pass
        assert process.wait(60) == 0
    os.close(parent)
    text = re.sub(r"\x1b\[[\d;]*m", "", seen.decode()).replace("\r", "")
    metrics = text.split("What each metric takes\n")[1].split("What each step brings\n")[0]
    assert "\nconverted\n  must be proven  " in metrics
    assert max(len(line) for line in metrics.splitlines()) <= columns


def test_a_reader_that_leaves_is_no_problem_for_unbuffered_output(
    home: Path,
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "rollout", "plan", "churn.yaml"],
            cwd=home,
            env=environment(home, PYTHONUNBUFFERED="1"),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (141, "")
