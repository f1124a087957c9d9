"""rollout outcomes, as a user types it: what it prints, how it ends, and that a kill counts nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout.agent import converters, uplink
from rollout.agent.log import Log
from rollout.agent.recorder import Recorder, Stream
from rollout.agent.uplink import Uplink
from rollout.cli.outcomes import verb
from rollout.errors import RolloutError
from rollout.lake.segments import Kind
from tests.agent.node import control_plane
from tests.api.doomed import NOW_US, door
from tests.api.serving import TOKEN
from tests.command import ROOT, environment, run
from tests.lake.cold import Lake, Stratum, Successes
from tests.lake.histories import BEGIN_US, CLOSING, RUN, file_exposures, request_at
from tests.outcomefile.files import ROW, as_csv, as_json, served, spooled, written

BAD = [ROW, {**ROW, "metric": "bougth"}, {**ROW, "key": "order 8", "value": 2}, {**ROW, "value": 0}, ROW]


@dataclass(frozen=True)
class Desk:
    """A user's folder, and the door that the settings name."""

    home: Path
    url: str

    @property
    def settings(self) -> dict[str, str]:
        return {"ROLLOUT_CONTROL_URL": self.url, "ROLLOUT_TOKEN": TOKEN}

    def type(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return run("outcomes", *arguments, home=self.home, **(self.settings | changes))

    def pipe(self, content: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "rollout", "outcomes", *arguments],
            env=environment(self.home, **self.settings),
            cwd=self.home,
            input=content,
            capture_output=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Iterator[Desk]:
    with served(tmp_path) as url:
        yield Desk(tmp_path, url)


def test_validate_says_all_that_is_wrong_and_sends_nothing(desk: Desk) -> None:
    written(desk.home, as_csv(BAD), "told.csv")
    expected = (
        "told.csv:3: metric: 'bougth' is unknown; did you mean 'bought'?\n"
        "told.csv:4: value: must be 0 or 1 for a binary metric (got 2.0)\n"
        "told.csv:5: the unit, metric and key of line 2, but another time or value: "
        "the least time, then the least value, counts\n"
        "told.csv: 5 rows, 3 good, 2 rejected\n"
        "  bought: 3\n"
        "  from 2024-10-03T23:59:48Z to 2024-10-03T23:59:48Z\n"
        "  1 row said before, word for word: counted once\n"
    )
    for words in (("validate",), ("import", "--dry-run")):
        result = desk.type(*words, "told.csv")
        assert (result.returncode, result.stderr) == (1, "")
        assert result.stdout == expected
    assert spooled(desk.home) == []


def test_import_hands_in_what_is_good_and_keeps_the_rest_for_mending(desk: Desk) -> None:
    written(desk.home, as_csv(BAD), "told.csv")
    result = desk.type("import", "told.csv", "--rejects", "mend.csv", "--output", "json")
    assert (result.returncode, result.stderr) == (1, "")
    (file,) = json.loads(result.stdout)["files"]
    assert (file["rows"], file["taken"], file["rejected"], file["conflicts"]) == (5, 3, 2, 1)
    assert file["problems"][0] == {"line": 3, "what": "metric: 'bougth' is unknown; did you mean 'bought'?"}
    assert len(spooled(desk.home)) == 3
    mended = (desk.home / "mend.csv").read_text().replace("bougth", "bought").replace(",2,order", ",1,order")
    written(desk.home, mended, "mend.csv")
    result = desk.type("import", "mend.csv")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("mend.csv: 2 rows, 2 taken, 0 rejected\n")
    assert len(spooled(desk.home)) == 5


def test_standard_input_needs_its_format(desk: Desk) -> None:
    result = desk.pipe(as_json([ROW]).encode(), "import", "-", "--format", "jsonl")
    assert (result.returncode, result.stdout[:31]) == (0, b"stdin: 1 row, 1 taken, 0 reject")
    assert "add --format csv, jsonl or parquet" in desk.pipe(b"", "import", "-").stderr.decode()
    result = desk.pipe(b"", "validate", "-", "--format", "parquet")
    assert (result.returncode, b"cannot be read from standard input" in result.stderr) == (2, True)


def test_metrics_come_from_policies_or_the_control_plane_or_are_not_checked(desk: Desk) -> None:
    policy = str(ROOT / "policies" / "churn.yaml")
    written(desk.home, as_csv([{**ROW, "metric": "convertd"}]), "told.csv")
    absent = {"ROLLOUT_CONTROL_URL": "http://127.0.0.1:1"}
    by_policy = desk.type("validate", "told.csv", "--policy", policy, **absent)
    assert by_policy.returncode == 1
    assert "told.csv:2: metric: 'convertd' is unknown; did you mean 'converted'?" in by_policy.stdout
    for result, why in (
        (desk.type("validate", "told.csv", **absent), "was not checked: http://127.0.0.1:1: cannot connect"),
        (desk.type("validate", "told.csv", "--offline"), "was not checked: name policies with --policy"),
    ):
        assert why in result.stdout
        assert "is unknown" not in result.stdout


def test_what_cannot_run_is_one_sentence_and_exit_code_2(desk: Desk) -> None:
    written(desk.home, as_csv([ROW]), "told.csv")
    for words, why in (
        (("import", "gone.csv"), "gone.csv: no such file or directory"),
        (("import", "told.csv", "--rejects", "no/such/folder"), "name a file that can be written"),
    ):
        result = desk.type(*words)
        assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
        assert why in result.stderr
    result = desk.type("import", "told.csv", ROLLOUT_CONTROL_URL="http://127.0.0.1:1")
    assert (result.returncode, result.stdout) == (2, "")
    assert "cannot connect" in result.stderr
    assert spooled(desk.home) == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("told.csv", "told.csv"), "a FILE is named twice"),
        (("told.csv", "--rejects", "told.csv"), "--rejects names the file that is read"),
        (("told.csv", "other.csv", "--rejects", "out.csv"), "--rejects takes the rows of one FILE"),
        (("told.csv", "--map", "unit"), "--map must be COLUMN=NAME"),
        (("told.csv", "--delimiter", "ab"), "--delimiter must be one sign, or 'tab'"),
        (("told.csv", "--metric", " "), "--metric is blank"),
        (("told.txt",), "its name ends in none of .csv, .jsonl, .ndjson or .parquet"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    written(tmp_path, as_csv([ROW]), "told.csv")
    with contextlib.chdir(tmp_path):
        result = CliRunner().invoke(verb, ["import", *words])
    assert isinstance(result.exception, RolloutError)
    assert why in str(result.exception)


def test_one_file_that_cannot_be_read_does_not_stop_the_others(desk: Desk) -> None:
    written(desk.home, as_csv([ROW]), "told.csv")
    result = desk.type("import", "gone.csv", "told.csv")
    assert (result.returncode, result.stdout.splitlines()[0]) == (2, "told.csv: 1 row, 1 taken, 0 rejected")
    assert result.stderr.startswith("gone.csv: no such file")
    assert len(spooled(desk.home)) == 1


def test_a_terminal_sees_how_far_it_is(desk: Desk) -> None:
    rows = [{**ROW, "key": f"order {number}"} for number in range(12_000)]
    written(desk.home, as_csv(rows), "told.csv")
    shown, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "rollout", "outcomes", "import", "told.csv"],
        env=environment(desk.home, **desk.settings, TERM="xterm", COLUMNS="120"),
        cwd=desk.home,
        stdout=subprocess.PIPE,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        seen = b""
        while part := _read(shown):
            seen += part
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"told.csv: 12,000 rows, 12,000 taken, 0 rejected\n")
    os.close(shown)
    assert b"reading told.csv" in seen
    assert b"kB" in seen


def _read(terminal: int) -> bytes:
    """Return what a terminal was shown; nothing when nobody has it open any more."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def count_in_the_lake(folder: Path, units: list[str]) -> dict[Stratum, Successes]:
    """Let the recorder and the intake bring a spool into a lake, and count what is in it."""
    entrance = door(folder)
    with control_plane(folder) as (house, intake), uplink.connect(intake, TOKEN) as client:
        log = Log(folder / "outcomes.jsonl", reopen=entrance.spool.reopen, settle_us=0)
        stream = Stream(Kind.OUTCOMES, "node-1", log, converters.outcomes(), lambda: 0, folder)
        hand = Recorder(stream, Uplink(client), now_us=lambda: NOW_US)
        assert hand.step()
        log.rotate(NOW_US)
        assert hand.step()
        # A new log begins, so that the node may say how far it is.
        asyncio.run(
            entrance.spool.append(b'{"unit":1,"metric":"bought","ts_us":2,"value_u":3,"idem_key":4}\n')
        )
        assert hand.step()
        entrance.spool.close()
        file_exposures(folder / "lake", [request_at(0, unit=unit) for unit in units], node="node-9")
        return dict(Lake(house.folder / "lake").binary(RUN, "bought", CLOSING))


@pytest.mark.parametrize("has_key", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_killed_in_the_middle_and_started_again_every_row_counts_once(
    tmp_path: Path, *, has_key: bool
) -> None:
    units = [f"user {number}" for number in range(2_000)]
    rows = [{**ROW, "unit": unit, "ts_us": BEGIN_US + 1, "key": unit} for unit in units]
    if not has_key:
        rows = [{name: cell for name, cell in row.items() if name != "key"} for row in rows]
    written(tmp_path, as_csv(rows), "told.csv")
    spool = tmp_path / "outcomes.jsonl"
    small = "import rollout.outcomefile.handing as handing; handing.BATCH_ROWS = 20\n"
    with served(tmp_path) as url:
        desk = Desk(tmp_path, url)
        for beginning in (1, 20_000) if has_key else (1,):
            with subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"{small}from rollout.__main__ import main\nmain()",
                    *("outcomes", "import", "told.csv"),
                ],
                env=environment(tmp_path, **desk.settings),
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
            ) as doomed:
                reached = spool.stat().st_size + beginning
                while spool.stat().st_size < reached and doomed.poll() is None:
                    os.sched_yield()
                doomed.send_signal(signal.SIGKILL)
            assert doomed.returncode == -signal.SIGKILL, "it was killed in the middle"
        for _ in range(2):
            result = desk.type("import", "told.csv")
            assert result.returncode == 0, result.stderr
            assert result.stdout.startswith("told.csv: 2,000 rows, 2,000 taken, 0 rejected\n")
            assert ("time and value are the key" in result.stdout) is not has_key
    assert len(spooled(tmp_path)) > 4_000
    day = BEGIN_US // 86_400_000_000
    assert count_in_the_lake(tmp_path, units) == {Stratum("control", 1, day): Successes(2_000, 2_000)}
