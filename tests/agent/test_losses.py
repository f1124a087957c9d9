"""What is lost is counted for each run, on the disk, and never taken for nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from rollout.agent.losses import ANYBODY, LARGEST, Loss, Losses
from tests.command import ROOT


def loss(experiment: str = "ranker", rows: int = 3, at_us: int = 10) -> Loss:
    return Loss("exposures", experiment, 1, rows=rows, bytes=100 * rows, from_us=at_us, to_us=at_us + 5)


def test_losses_of_a_run_add_up_and_outlive_the_process(tmp_path: Path) -> None:
    losses = Losses(tmp_path / "node" / "losses")
    assert losses.all() == ()
    losses.note([loss(), loss("other"), loss(rows=4, at_us=2)], why="the disk is full")
    for found in (losses, Losses(tmp_path / "node" / "losses")):
        assert found.all() == (Loss("exposures", "ranker", 1, 7, 700, 2, 15), loss("other"))


def test_more_runs_than_fit_are_anybody_s(tmp_path: Path) -> None:
    losses = Losses(tmp_path / "losses")
    losses.note([loss(f"run-{number}") for number in range(LARGEST + 5)], why="many")
    assert len(losses.all()) == LARGEST + 1
    assert losses.all()[-1] == Loss("exposures", ANYBODY, 0, 15, 1500, 10, 15)


def test_a_file_that_nobody_can_read_is_a_loss_of_anybody(tmp_path: Path) -> None:
    (tmp_path / "losses").write_bytes(b"[{")
    (found,) = Losses(tmp_path / "losses").all()
    assert (found.experiment, found.to_us > 0) == (ANYBODY, True)


def test_without_room_on_the_disk_losses_stay_in_memory_until_there_is_some(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.agent.test_losses", str(tmp_path)]
    done = subprocess.run(program, cwd=ROOT, timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Losses(tmp_path / "losses").all() == (loss(), loss("other"))


def main() -> None:
    """Note losses while no file may grow, and when they may: python -m tests.agent.test_losses FOLDER."""
    _, largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    losses = Losses(Path(sys.argv[1]) / "losses")
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, largest))
    losses.note([loss(), loss("other")], why="the disk is full")
    assert losses.all() == (loss(), loss("other"))
    assert not (Path(sys.argv[1]) / "losses").exists()
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    losses.settle()


if __name__ == "__main__":
    main()
