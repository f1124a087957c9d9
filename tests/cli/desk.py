"""A user's folder beside a control plane that really listens."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from rollout.cli.run import run as run_here
from rollout.controller.sights import Sight
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge
from tests.api.control import House
from tests.command import environment, run
from tests.domain.scenes import SECOND_US


@dataclass(frozen=True)
class Desk:
    """A user's folder, and the control plane that the settings name."""

    home: Path
    there: House

    @property
    def settings(self) -> dict[str, str]:
        token_file = str(self.home / "token")
        return {"ROLLOUT_CONTROL_URL": self.there.url, "ROLLOUT_TOKEN_FILE": token_file}

    def type(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, home=self.home, **(self.settings | changes))


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class Place(Protocol):
    """Where a command runs: a folder, and the settings that name a control plane."""

    @property
    def home(self) -> Path: ...

    @property
    def settings(self) -> dict[str, str]: ...


def say(desk: Place, *arguments: str, **changes: str) -> Said:
    """Run the command in this process: faster than `Desk.type`, and without a terminal."""
    variables = environment(desk.home, **(desk.settings | changes))
    before = dict(os.environ)
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    os.environ.clear()
    os.environ.update(variables)
    try:
        with contextlib.chdir(desk.home), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_here(arguments)
    finally:
        os.environ.clear()
        os.environ.update(before)
    out.seek(0)
    err.seek(0)
    return Said(code, out.read(), err.read())


class Eyes:
    """The newest look at every run: what a test puts before them."""

    def __init__(self) -> None:
        self.seen: Evidence | None = None
        self.is_live = True

    def __call__(self, experiment: Experiment) -> Sight | None:
        if self.seen is None:
            return None
        at_us = experiment.step_entered_us + 600 * SECOND_US
        seen = replace(self.seen, watermark_us=at_us, fast_watermark_us=at_us, first_enrolled_us=at_us)
        return Sight(at_us, experiment, seen, judge(experiment, seen, at_us, Patience()))
