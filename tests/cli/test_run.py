"""What can go wrong in a run: defects, interrupts, readers that leave and disks that are full."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import environment, run, script

BROKEN = script("raise ValueError('boom at https://me:hush@example.invalid/')")


def test_a_defect_is_one_sentence_and_its_details_are_in_a_file(tmp_path: Path) -> None:
    result = run("extra", home=tmp_path, program=BROKEN, ROLLOUT_CORRELATION_ID="run-7")
    file = tmp_path / ".local/state/rollout/details-run-7.json"
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        "run run-7: stopped by a defect of ours: ValueError: boom at https://me:********@example.invalid/; "
        f"report it with {file}\n"
    )
    details = json.loads(file.read_text())
    assert details["correlation_id"] == "run-7"
    assert "Traceback" in "".join(details["traceback"])
    assert "hush" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_debugging_logs_the_traceback_as_one_json_line(tmp_path: Path) -> None:
    result = run("extra", home=tmp_path, program=BROKEN, ROLLOUT_LOG_LEVEL="debug")
    log, sentence = result.stderr.splitlines()
    event = json.loads(log)
    assert event["event"] == "unexpected problem"
    assert "Traceback" in event["exception"]
    assert event["correlation_id"] in sentence
    assert "hush" not in log


def test_details_that_cannot_be_written_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = run("extra", home=tmp_path, program=BROKEN, ROLLOUT_DETAILS_FOLDER=str(tmp_path / "file/x"))
    assert result.returncode == 2
    assert "run it again with ROLLOUT_LOG_LEVEL=debug" in result.stderr
    assert "Traceback" not in result.stderr


def test_only_the_newest_details_are_kept(tmp_path: Path) -> None:
    for number in range(25):
        old = tmp_path / f"details-{number}.json"
        old.write_text("{}")
        os.utime(old, (number, number))
    run("extra", home=tmp_path, program=BROKEN, ROLLOUT_DETAILS_FOLDER=str(tmp_path))
    kept = {file.name for file in tmp_path.glob("details-*.json")}
    assert len(kept) == 20
    assert "details-24.json" in kept
    assert "details-5.json" not in kept


def test_a_defect_while_the_settings_are_wrong_too(tmp_path: Path) -> None:
    result = run("extra", home=tmp_path, program=BROKEN, ROLLOUT_LOG_LEVEL="loud")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_an_exit_code_reaches_the_shell(tmp_path: Path) -> None:
    assert run("extra", home=tmp_path, program=script("return 3")).returncode == 3


# A shell's background jobs inherit that interrupts are ignored; this process wants to be interrupted.
WAITING = """import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
print('ready', flush=True)
time.sleep(60)"""


def test_an_interrupt_is_quiet(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *script(WAITING), "extra"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")


@pytest.mark.parametrize("arguments", [("settings",), ("version", "-o", "json"), ("--help",), ()])
def test_a_reader_that_leaves_is_no_problem(arguments: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "rollout", *arguments],
            env=environment(tmp_path),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("argument", ["version", "--help"])
def test_a_full_disk_is_one_sentence(argument: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "rollout", argument],
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 2
    assert result.stderr.startswith("standard output: no space left on device; ")
