"""The verbs about runs, as a user types them, against a control plane that really listens."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rollout.client.nodes import NodeState, RefusedState
from rollout.domain.decision import Reason
from rollout.fleet.degradation import Degraded
from rollout.ports import Delivered
from rollout.store.outbox import SqlOutbox
from tests.api.control import POLICY, TOKEN, begin, house, look
from tests.cli.desk import Desk
from tests.client.strange import nobody
from tests.command import environment, run
from tests.domain.scenes import evidence

WRONG = "hush-hush-hush-hush"


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "churn.yaml").write_text(POLICY)
    with house(tmp_path) as there:
        yield Desk(tmp_path, there)


def test_start_says_what_was_started_and_twice_is_once(desk: Desk) -> None:
    first = desk.type("start", "churn.yaml")
    assert first.returncode == 0, first.stderr
    uid = desk.there.ledger.runs()[0].experiment.uid
    assert first.stdout == (
        f"started churn-v2 ({uid}): 2.0.0 against 1.4.2 on /churn\n"
        "steps per candidate: 1%, 10%, 50%\n"
        "watch it: rollout status churn-v2 --watch\n"
    )
    second = desk.type("start", "churn.yaml")
    assert second.returncode == 0
    assert second.stdout.startswith("churn-v2 has this policy since 20")
    as_json = desk.type("start", "churn.yaml", "--output", "json")
    assert json.loads(as_json.stdout)["is_new"] is False


def test_start_waits_until_the_proxies_serve_the_route(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "churn.yaml").write_text(POLICY)
    confirmed = iter([False, False])
    with house(tmp_path, is_live=lambda _: next(confirmed, True)) as there:
        result = Desk(tmp_path, there).type("start", "churn.yaml", "-o", "json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["experiment"]["traffic_is_live"] is True
    assert list(confirmed) == []


def test_start_says_which_proxy_refuses_the_route_and_why(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "churn.yaml").write_text(POLICY)
    others = [
        RefusedState(experiment="churn-v2", revision=7, reason="an older one"),
        RefusedState(reason="all"),
    ]
    refused = RefusedState(experiment="churn-v2", revision=1, reason="credential 'key' is not known")
    with house(tmp_path, is_live=lambda _: False) as there:
        there.fleet.told("edge", NodeState(refused=(*others, refused)))
        there.fleet.told("fine", NodeState())
        result = Desk(tmp_path, there).type("start", "churn.yaml")
    assert result.returncode == 1
    assert result.stdout.startswith("started churn-v2 (")
    assert result.stderr == "edge refuses churn-v2: credential 'key' is not known\n"


def test_a_version_that_does_not_fare_well_is_told_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    failures = {"try-timeout": 30, "connect-failure": 7}
    slow = Degraded("candidate1", failures, 1, 2, 1, ("requests",), ("a", "b"))
    with house(
        tmp_path, degraded=lambda name, revision: [slow] * ((name, revision) == ("churn-v2", 1))
    ) as there:
        begin(there.ledger)
        desk = Desk(tmp_path, there)
        told = [desk.type(verb, "churn-v2").stdout for verb in ("status", "explain", "report")]
        as_json = json.loads(desk.type("status", "churn-v2", "-o", "json").stdout)["degraded"]
    sentence = (
        "candidate 2.0.0: 37 attempts failed in the last minute: 30 per-try timeouts, 7 connections refused; "
        "1 of 2 hosts out; a host ejected once in the last minute; at their limit: requests\n"
    )
    assert all(sentence in text for text in told), told
    assert (as_json[0]["failures"], as_json[0]["nodes"]) == (failures, ["a", "b"])


def test_two_starts_at_once_are_one(desk: Desk) -> None:
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda _: desk.type("start", "churn.yaml", "-o", "json"), range(2)))
    assert sorted(json.loads(result.stdout)["is_new"] for result in results) == [False, True]


def test_a_policy_with_findings_starts_nothing(desk: Desk) -> None:
    (desk.home / "churn.yaml").write_text(POLICY.replace("minEffect", "minEfect"))
    result = desk.type("start", "churn.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert "minEfect" in result.stderr
    assert result.stderr.endswith("churn.yaml: nothing was started\n")
    assert desk.there.ledger.runs() == ()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no.yaml", "no.yaml: no such file or directory; name a policy file that can be read\n"),
        (".", ".: is a directory; name a policy file that can be read\n"),
    ],
)
def test_a_policy_that_cannot_be_read(name: str, complaint: str, desk: Desk) -> None:
    result = desk.type("start", name)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", complaint)


def test_a_conflict_says_what_to_do(desk: Desk) -> None:
    desk.type("start", "churn.yaml")
    (desk.home / "churn.yaml").write_text(POLICY.replace("churn-2026q4", "other"))
    result = desk.type("start", "churn.yaml")
    assert result.returncode == 2
    assert "keep the salt 'churn-2026q4'" in result.stderr


def test_a_changed_policy_says_what_became_of_its_run(desk: Desk) -> None:
    desk.type("start", "churn.yaml")
    (desk.home / "churn.yaml").write_text(POLICY.replace("owner: growth-ml", "owner: others"))
    at_once = "churn-v2 goes on with its evidence, and the changes take effect at once: running\n"
    assert desk.type("start", "churn.yaml").stdout == at_once
    (desk.home / "churn.yaml").write_text(POLICY.replace("12h", "6h"))
    anew = desk.type("start", "churn.yaml").stdout
    assert anew.startswith("began revision 2, without the evidence so far, of churn-v2 (")
    assert "steps per candidate: 1%, 10%, 50%\n" in anew


def test_looks_of_a_revision_that_is_over_keep_their_own_policy(desk: Desk) -> None:
    begin(desk.there.ledger)
    for reason in (Reason.STEP_PASSED, Reason.STEP_PASSED, Reason.GOAL_UNPROVEN):
        look(desk.there.ledger, "churn-v2", reason)
    # Two steps instead of three, and another candidate: the old looks were at a third step, of 2.0.0.
    shorter = re.sub(r"\n *- \{setWeight: 1%.*", "", POLICY).replace('"2.0.0"', '"2.1.0"')
    (desk.home / "churn.yaml").write_text(shorter)
    assert desk.type("start", "churn.yaml").stdout.startswith("began revision 2, ")
    look(desk.there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    told = desk.type("explain", "churn-v2").stdout
    assert "  revision 1, of whose evidence nothing counts any more\n" in told
    assert "from then on: running, step 3 of 3\n" in told
    assert told.index("revision 1, of") < told.index("started as revision 2")


def test_status_of_all_and_of_one(desk: Desk) -> None:
    assert desk.type("status").stdout == "no experiments yet; start one: rollout start POLICY\n"
    begin(desk.there.ledger)
    waiting = desk.type("status", "churn-v2").stdout
    assert "the first look is still to come" in waiting
    look(desk.there.ledger, "churn-v2", Reason.STEP_PASSED)
    header, line = desk.type("status").stdout.splitlines()
    assert header.split() == ["NAME", "PHASE", "STEP", "WEIGHT", "UNITS", "DECISION", "SINCE"]
    assert line.startswith(
        "churn-v2  running  2 of 3  10%     20000 / 20000  advance: the step lasted its time"
    )
    details = desk.type("status", "churn-v2").stdout
    assert "churn-v2  running, step 2 of 3 at 10%  (2.0.0 against 1.4.2 on /churn)" in details
    rows = {line.split()[0]: line.split() for line in details.splitlines() if line.strip()}
    assert rows["converted"][1:5] == ["primary", "better", "100%", "0%"]
    assert rows["fallback"][1:3] == ["required", "safe"]


def test_status_for_programs(desk: Desk) -> None:
    begin(desk.there.ledger)
    look(desk.there.ledger, "churn-v2", Reason.GOAL_UNPROVEN, metric="converted")
    one = json.loads(desk.type("status", "churn-v2", "-o", "json").stdout)
    every = json.loads(desk.type("status", ROLLOUT_OUTPUT="json").stdout)
    assert every == {"experiments": [one]}
    assert one["decision"]["metric"] == "converted"


def test_explain_says_why_and_on_what(desk: Desk) -> None:
    begin(desk.there.ledger)
    for reason in (Reason.STEP_UNFINISHED, Reason.EVIDENCE_STALE, Reason.STEP_UNFINISHED):
        look(desk.there.ledger, "churn-v2", reason)
    look(desk.there.ledger, "churn-v2", Reason.STEP_PASSED)
    look(desk.there.ledger, "churn-v2", Reason.METRIC_HARMED, evidence(errors=0.2), "errors")
    text = desk.type("explain", "churn-v2").stdout
    assert "rolling-back, step 2 of 3 at 0%" in text
    assert f"roll-back: errors: {Reason.METRIC_HARMED.meaning}" in text
    assert "  errors is harmed: +" in text
    assert f"hold: {Reason.STEP_UNFINISHED.meaning} (2 looks)" in text
    assert "from then on: running, step 2 of 3" in text
    assert "converted is better: +16.7% against the control, interval +" in text
    assert "p99 is safe: 0.4% of requests miss it, at most 1% may" in text
    document = json.loads(desk.type("explain", "churn-v2", "-o", "json").stdout)
    assert [entry["number"] for entry in document["history"]] == [1, 2, 3, 4, 5]


def test_rollback_records_who_and_why(desk: Desk) -> None:
    begin(desk.there.ledger)
    asked = desk.type("rollback", "churn-v2", "--why", "wrong answers", USER="anna", LOGNAME="anna")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("churn-v2: the rollback is recorded; ")
    again = desk.type("rollback", "churn-v2", "--why", "me too", "--who", "ben")
    assert again.stdout.startswith("churn-v2: a rollback was asked for before; ")
    assert "anna asked for a rollback: wrong answers" in desk.type("status", "churn-v2").stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("churn-v2",), "rollout rollback: --why is missing; see"),
        (("churn-v2", "--why", " "), "rollout rollback: --why is empty; say it in a sentence"),
        (("churn-v2", "--why", "x" * 1001), "rollout rollback: --why has more than 1000 characters; say"),
        (("--why", "x"), "rollout rollback: NAME is missing; see"),
    ],
)
def test_a_rollback_that_is_not_said_well(arguments: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    result = run("rollback", *arguments, home=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(complaint)


def test_a_report_to_files_or_to_the_terminal(desk: Desk) -> None:
    begin(desk.there.ledger)
    assert desk.type("report", "churn-v2").stdout == "markdown: churn-v2 with 0 entries\n"
    assert desk.type("report", "churn-v2", "-o", "json").stdout == "json: churn-v2 with 0 entries\n"
    result = desk.type("report", "churn-v2", "--html", "a.html", "--markdown", "a.md")
    assert (result.stdout, result.stderr) == ("", "wrote a.html\nwrote a.md\n")
    assert (desk.home / "a.html").read_text() == "html: churn-v2 with 0 entries"
    assert (desk.home / "a.md").read_text() == "markdown: churn-v2 with 0 entries"
    nowhere = desk.type("report", "churn-v2", "--html", "no/a.html")
    assert (nowhere.returncode, nowhere.stderr) == (
        2,
        "no/a.html: no such file or directory; name a file that can be written\n",
    )


def test_an_unknown_name_gets_the_nearest(desk: Desk) -> None:
    begin(desk.there.ledger)
    for verb in (("status", "--watch"), ("explain",), ("rollback", "--why", "x")):
        result = desk.type(*verb, "chrun-v2")
        assert result.returncode == 2
        assert result.stderr == "chrun-v2: no such experiment; did you mean 'churn-v2'?\n"


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with nobody() as url:
        result = run("status", home=tmp_path, ROLLOUT_CONTROL_URL=url)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{url}: cannot connect (connection refused); is `rollout up` running?")
    assert result.stderr.count("\n") == 1


def test_the_token_and_its_file(desk: Desk) -> None:
    def status(**changes: str) -> subprocess.CompletedProcess[str]:
        return desk.type("status", **{f"ROLLOUT_{name.upper()}": value for name, value in changes.items()})

    nowhere = "/nowhere"
    assert status(token=TOKEN, token_file=nowhere).returncode == 0
    refused = status(token=WRONG)
    assert refused.stderr.startswith(f"{desk.there.url}: the token was refused; ")
    assert WRONG not in refused.stderr
    needed = status(token_file="")
    assert needed.stderr.startswith(f"{desk.there.url}: a token is needed; ")
    remedy = "name a file with the token in ROLLOUT_TOKEN_FILE"
    assert status(token_file=nowhere).stderr == f"/nowhere: no such file or directory; {remedy}\n"
    (desk.home / "token").write_text("two words")
    assert "not a token file: it should hold one word" in status().stderr


@contextmanager
def watching(desk: Desk, *arguments: str, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a `rollout status --watch` that does not outlive the block."""
    # A shell's background jobs inherit that interrupts are ignored; this process wants to be interrupted.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from rollout.__main__ import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "status", "--watch", *arguments],
        env=environment(desk.home, **desk.settings, TERM="xterm", COLUMNS="120", LINES="40"),
        stdout=stdout,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_watching_in_a_pipe_is_one_line_for_each_change(desk: Desk) -> None:
    begin(desk.there.ledger)
    look(desk.there.ledger, "churn-v2", Reason.STEP_PASSED)
    with watching(desk, "churn-v2", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"churn-v2  running  step 2 of 3 at 10%  advance: " in process.stdout.readline()
        look(desk.there.ledger, "churn-v2", Reason.PERSON_ROLLS_BACK)
        assert b"churn-v2  rolling-back  step 2 of 3 at 0%  roll-back: a person" in process.stdout.readline()
        look(desk.there.ledger, "churn-v2", Reason.ROLLBACK_DONE)
        assert b"churn-v2  rolled-back  step 2 of 3 at 0%  settle: " in process.stdout.readline()
        assert process.wait(20) == 0


class Screen:
    """A terminal that notes what is written to it."""

    def __init__(self) -> None:
        self._parent, self.child = pty.openpty()
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._parent, 65536):
                self._seen.extend(piece)
        except OSError:  # Linux says so when the other end is closed
            return

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self._seen.decode(errors="ignore"):
            assert time.monotonic() < deadline, self._seen.decode(errors="replace")
            time.sleep(0.02)

    def close(self) -> None:
        self._reader.join()
        os.close(self._parent)


def test_watching_on_a_terminal_is_live_outlives_the_server_and_ends_quietly(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    screen = Screen()
    with ExitStack() as watched:
        with house(tmp_path) as there:
            begin(there.ledger)
            look(there.ledger, "churn-v2", Reason.GOAL_UNPROVEN, metric="converted")
            process = watched.enter_context(watching(Desk(tmp_path, there), stdout=screen.child))
            os.close(screen.child)
            screen.wait_for("hold: converted: the goal is not proven yet")
            screen.wait_for("████████████")
        screen.wait_for("cannot connect")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""
    screen.close()


def test_a_status_says_who_was_told_and_who_could_not_be(desk: Desk) -> None:
    (desk.home / "churn.yaml").write_text(POLICY.rstrip() + "\n  notify: [{to: ml, events: [decision]}]\n")
    assert desk.type("start", "churn.yaml").returncode == 0
    outbox, now_us = SqlOutbox(desk.there.database), desk.there.clock()
    parcel = outbox.claim("tests", now_us)
    assert parcel is not None
    outbox.settle(parcel, Delivered(is_taken=False, why="it answered 500"), now_us, chance=1.0)
    said = desk.type("status", "churn-v2").stdout
    assert "told:\n  ml: churn-v2: started, to be sent at " in said
    assert "because it answered 500 (try 1)" in said
