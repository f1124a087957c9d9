"""Keep the details of a defect in a file, so that the terminal shows one sentence and no traceback."""

import json
import os
import traceback
from pathlib import Path

from rollout.cli.invocation import Invocation
from rollout.cli.version import parts
from rollout.errors import Problem, RolloutError, Unexpected
from rollout.logs import get, redacted, wall_clock
from rollout.settings.settings import LogLevel, Settings

KEPT = 20


def recorded(error: Exception, invocation: Invocation) -> Unexpected:
    """Write the details, log the traceback if debugging, and return the sentence for the user."""
    settings = _settings(invocation)
    if settings.log_level is LogLevel.DEBUG:
        get("command").error("unexpected problem", exc_info=error)
    what = f"stopped by a defect of ours: {type(error).__name__}: {redacted(str(error))}"
    name = f"run {invocation.correlation_id}"
    folder = settings.details_folder.expanduser()
    try:
        file = _write(error, invocation, folder)
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        remedy = f"no details in {folder} ({reason}): run it again with ROLLOUT_LOG_LEVEL=debug"
        return Unexpected(Problem(name, what, remedy))
    return Unexpected(Problem(name, what, f"report it with {file}"))


def _settings(invocation: Invocation) -> Settings:
    try:
        return invocation.settings
    except RolloutError:
        return Settings()


def _write(error: Exception, invocation: Invocation, folder: Path) -> Path:
    content = {
        "correlation_id": invocation.correlation_id,
        "time": wall_clock().isoformat(timespec="seconds"),
        "versions": parts(),
        "traceback": redacted(traceback.format_exception(error)),
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_oldest(folder)
    file = folder / f"details-{invocation.correlation_id.replace(':', '-')}.json"
    with os.fdopen(
        os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as stream:
        json.dump(content, stream, indent=2)
    return file


def _forget_oldest(folder: Path) -> None:
    oldest_first = sorted(folder.glob("details-*.json"), key=lambda file: file.stat().st_mtime)
    for file in oldest_first[: -(KEPT - 1)]:
        file.unlink(missing_ok=True)
