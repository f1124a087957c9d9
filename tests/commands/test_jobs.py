"""Local commands with real processes: begun once whatever is killed, bounded, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.commands import supervise
from rollout.commands.jobs import Ended, LocalCommands
from rollout.domain.experiment import JobState
from rollout.domain.job import Order
from rollout.domain.policy import LocalCommand, WorkflowCall
from rollout.errors import Stop
from rollout.ports import Jobs
from tests.contracts.jobs import NAME, UID, WITHIN_S, JobsContract, await_end, await_report, order, state

# A controller: it starts the action and is then gone without a word.
CONTROLLER = """
import os, signal, sys
from pathlib import Path
from rollout.commands.jobs import LocalCommands
from rollout.domain.job import Order
from rollout.domain.policy import LocalCommand
folder, name, uid, script = sys.argv[1:]
order = Order(name, uid, LocalCommand(("/bin/sh", "-c", script), 60.0))
LocalCommands(Path(folder), working_folder=Path(folder)).start(order)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[LocalCommands]:
    made = LocalCommands(tmp_path, working_folder=tmp_path, kill_after_s=0.3)
    yield made
    for folder in tmp_path.iterdir():
        if (folder / supervise.BEGUN).exists():
            (folder / supervise.STOP).touch()
            await_ended(made, folder.name)


def await_ended(jobs: LocalCommands, name: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while jobs.ended(name) is None and time.monotonic() < deadline:
        time.sleep(0.01)


def forget(folder: Path) -> None:
    """Leave nothing to wait for: nobody is there who would end it."""
    (folder / NAME / supervise.BEGUN).unlink()


class TestLocalCommands(JobsContract):
    @pytest.fixture
    def jobs(self, jobs: LocalCommands) -> LocalCommands:
        return jobs

    def another(self, jobs: Jobs, folder: Path) -> Jobs:
        del jobs  # files are all that it knows
        return LocalCommands(folder, working_folder=folder, kill_after_s=0.3)

    def beginnings(self, jobs: Jobs, folder: Path) -> int:
        del jobs
        return len((folder / "effects").read_text().splitlines())


def shell(script: str, *, deadline_s: float = 60.0) -> LocalCommand:
    return LocalCommand(("/bin/sh", "-c", script), deadline_s)


def known(folder: Path, file: str) -> dict[str, object]:
    deadline = time.monotonic() + WITHIN_S
    while not (folder / NAME / file).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    found = json.loads((folder / NAME / file).read_text())
    assert isinstance(found, dict)
    return found


def await_text(file: Path) -> str:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if file.exists() and file.read_text().strip():
            return file.read_text().strip()
        time.sleep(0.01)
    raise TimeoutError(file)


def await_gone(pid: int) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while supervise.birth(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    return supervise.birth(pid) is None


def test_a_command_is_a_list_and_never_a_shell_s_text(jobs: LocalCommands) -> None:
    jobs.start(work := order(LocalCommand(("echo", "$HOME; echo no", "`id`"))))
    assert await_end(jobs, work) is JobState.SUCCEEDED
    assert jobs.output(NAME) == "$HOME; echo no `id`\n"


def test_an_action_sees_its_variables_and_little_else(tmp_path: Path) -> None:
    around = {"PATH": os.environ["PATH"], "DATABASE_PASSWORD": "hunter2"}
    jobs = LocalCommands(tmp_path, working_folder=tmp_path, environment=around)
    jobs.start(work := order(LocalCommand(("env",)), {"ROLLOUT_UID": "a1b2c3d4"}))
    assert await_end(jobs, work) is JobState.SUCCEEDED
    assert set(jobs.output(NAME).split()) == {f"PATH={os.environ['PATH']}", "ROLLOUT_UID=a1b2c3d4"}


def test_an_action_runs_in_the_working_folder(jobs: LocalCommands, tmp_path: Path) -> None:
    (tmp_path / "promote.sh").write_text("#!/bin/sh\necho promoted $1\n")
    (tmp_path / "promote.sh").chmod(0o755)
    jobs.start(work := order(LocalCommand(("./promote.sh", "churn"))))
    assert await_end(jobs, work) is JobState.SUCCEEDED
    assert jobs.output(NAME) == "promoted churn\n"


def test_a_program_that_does_not_exist_has_failed(jobs: LocalCommands) -> None:
    jobs.start(work := order(LocalCommand(("no-such-program",))))
    assert await_end(jobs, work) is JobState.FAILED
    assert jobs.ended(NAME) == Ended(127, "could not be started")
    assert "no-such-program" in jobs.output(NAME)


def test_a_deadline_ends_an_action_and_its_whole_group(jobs: LocalCommands, tmp_path: Path) -> None:
    jobs.start(work := order(shell(f"sleep 600 & echo $! > {tmp_path}/pid; wait", deadline_s=1.0)))
    inner = int(await_text(tmp_path / "pid"))
    assert await_end(jobs, work) is JobState.LATE
    assert jobs.ended(NAME) == Ended(-signal.SIGTERM, "ran past its deadline")
    assert await_gone(inner)


def test_an_action_that_does_not_listen_is_ended_by_force(jobs: LocalCommands, tmp_path: Path) -> None:
    jobs.start(
        work := order(shell(f"trap '' TERM; echo ready > {tmp_path}/ready; while :; do sleep 1; done"))
    )
    await_text(tmp_path / "ready")
    jobs.stop(work)
    assert await_end(jobs, work) is JobState.FAILED
    assert jobs.ended(NAME) == Ended(-signal.SIGKILL, "stopped")


def test_a_clean_end_after_a_stop_is_no_success(jobs: LocalCommands, tmp_path: Path) -> None:
    script = f"trap 'exit 0' TERM; echo ready > {tmp_path}/ready; while :; do sleep 0.1; done"
    jobs.start(work := order(shell(script)))
    await_text(tmp_path / "ready")
    jobs.stop(work)
    assert await_end(jobs, work) is JobState.FAILED
    assert jobs.ended(NAME) == Ended(0, "stopped")


def test_the_newest_output_is_kept_and_no_more(jobs: LocalCommands, tmp_path: Path) -> None:
    jobs.start(work := order(shell("yes rollout | head -c 4000000; echo; echo the end")))
    assert await_end(jobs, work) is JobState.SUCCEEDED
    assert jobs.output(NAME).endswith("the end\n")
    assert supervise.OUTPUT_BYTES <= len(jobs.output(NAME)) <= 2 * supervise.OUTPUT_BYTES + 65_536
    kept = sum(file.stat().st_size for file in (tmp_path / NAME).iterdir())
    assert kept < 3 * supervise.OUTPUT_BYTES


def test_a_killed_controller_neither_loses_nor_repeats_an_action(jobs: LocalCommands, tmp_path: Path) -> None:
    script = f"echo once >> {tmp_path}/effect; while ! test -e {tmp_path}/go; do sleep 0.05; done; exit 3"
    work, arguments = (
        order(shell(script)),
        [sys.executable, "-c", CONTROLLER, str(tmp_path), NAME, UID, script],
    )
    for _ in range(3):
        gone = subprocess.run(arguments, check=False, timeout=60)
        assert gone.returncode == -signal.SIGKILL
        await_text(tmp_path / "effect")
        assert state(jobs, work) is JobState.RUNNING
    (tmp_path / "go").touch()
    assert await_end(jobs, work) is JobState.FAILED
    assert jobs.ended(NAME) == Ended(3, supervise.BY_ITSELF)
    assert (tmp_path / "effect").read_text() == "once\n"


def test_of_many_that_start_a_name_at_once_one_does(jobs: LocalCommands, tmp_path: Path) -> None:
    script = f"echo once >> {tmp_path}/effect; sleep 0.5"
    work, arguments = (
        order(shell(script)),
        [sys.executable, "-c", CONTROLLER, str(tmp_path), NAME, UID, script],
    )
    controllers = [subprocess.Popen(arguments) for _ in range(4)]
    for controller in controllers:
        controller.wait(60)
    assert await_end(jobs, work) is JobState.SUCCEEDED
    assert (tmp_path / "effect").read_text() == "once\n"


def test_an_order_without_a_beginning_is_begun(jobs: LocalCommands, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / supervise.ORDER).write_text("{}")
    work = order(LocalCommand(("true",)))
    assert jobs.report(work) is None
    jobs.start(work)
    assert await_end(jobs, work) is JobState.SUCCEEDED


def test_an_action_whose_supervisor_is_gone_has_failed_and_is_not_repeated(
    jobs: LocalCommands, tmp_path: Path
) -> None:
    jobs.start(work := order(shell(f"echo once >> {tmp_path}/effect; sleep 600")))
    child = int(str(known(tmp_path, supervise.CHILD)["pid"]))
    await_text(tmp_path / "effect")
    supervisor = int(str(known(tmp_path, supervise.BEGUN)["pid"]))
    os.kill(supervisor, signal.SIGKILL)
    assert await_gone(supervisor)
    assert state(jobs, work) is JobState.FAILED
    assert await_gone(child)
    jobs.start(work)
    assert state(jobs, work) is JobState.FAILED
    assert (tmp_path / "effect").read_text() == "once\n"
    forget(tmp_path)


def test_a_process_of_the_same_number_is_not_taken_for_ours(jobs: LocalCommands, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    begun = {"pid": os.getpid(), "birth": "another boot/1"}
    (tmp_path / NAME / supervise.BEGUN).write_text(json.dumps(begun))
    assert state(jobs, order(LocalCommand(("true",)))) is JobState.FAILED
    forget(tmp_path)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-a", "a" * 64, "A"])
def test_a_name_is_never_a_path(jobs: LocalCommands, name: str) -> None:
    with pytest.raises(ValueError, match="not a job's name"):
        jobs.start(order(LocalCommand(("true",)), name=name))


def test_a_workflow_is_refused_and_nothing_is_begun(jobs: LocalCommands) -> None:
    work = Order(NAME, UID, WorkflowCall("promote-model"))
    with pytest.raises(Stop, match="a workflow"):
        jobs.start(work)
    assert jobs.report(work) is None


def test_how_an_action_ended_is_said(jobs: LocalCommands, tmp_path: Path) -> None:
    jobs.start(work := order(shell("echo the reason >&2; exit 3")))
    known = await_report(jobs, work)
    assert (known.message, known.output) == ("ended by itself: exit code 3", "the reason\n")
    assert known.link == str(tmp_path / NAME / supervise.OUTPUT)
    assert known.begun_us is not None


def test_an_action_that_an_older_program_began_is_still_ours(jobs: LocalCommands, tmp_path: Path) -> None:
    jobs.start(work := order(LocalCommand(("true",))))
    assert await_end(jobs, work) is JobState.SUCCEEDED
    begun = tmp_path / NAME / supervise.BEGUN
    kept = {name: part for name, part in json.loads(begun.read_text()).items() if name in {"pid", "birth"}}
    begun.write_text(json.dumps(kept))
    assert state(jobs, work) is JobState.SUCCEEDED


def test_of_two_orders_of_a_name_what_was_claimed_is_what_runs(jobs: LocalCommands, tmp_path: Path) -> None:
    first, other = (order(shell(f"echo {word} >> {tmp_path}/effect")) for word in ("first", "other"))
    refused = []

    def start(work: Order) -> None:
        try:
            jobs.start(work)
        except Stop:
            refused.append(work)

    threads = [threading.Thread(target=start, args=(work,)) for work in (first, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    (loser,) = refused
    winner = other if loser is first else first
    assert await_end(jobs, winner) is JobState.SUCCEEDED
    assert (tmp_path / "effect").read_text() == ("first\n" if winner is first else "other\n")
