"""`rollout evidence show --lake`: the same answer as a control plane's, from a folder of segments."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.errors import NotReadable, Problem

if TYPE_CHECKING:
    from rollout.client.evidence import EvidenceAnswer
    from rollout.settings.settings import Color


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    folder: Path
    policy_file: str
    revision: int | None
    at: datetime | None
    grace_s: float


def look(wanted: Wanted, color: "Color") -> "EvidenceAnswer":
    """Return what a look at the folder says, with a bar while it is read."""
    from rollout.api.evidence import evidence_answer
    from rollout.cli.policy_files import policy_in
    from rollout.cli.progress import progress
    from rollout.domain.judge import Patience
    from rollout.intake import bare

    folder = wanted.folder.expanduser()
    if not folder.is_dir():
        remedy = "name the folder `lake` in that of `rollout up`: --data"
        raise NotReadable(Problem(str(folder), "there is no such folder", remedy))
    asked = bare.Asked(
        folder=folder,
        policy=policy_in(wanted.policy_file),
        revision=wanted.revision,
        at_us=None if wanted.at is None else _microseconds(wanted.at),
        patience=Patience(grace_us=int(wanted.grace_s * 1e6)),
    )
    with progress("taking in", color) as on_read:
        return evidence_answer(bare.look(asked, on_read=on_read))


def _microseconds(at: datetime) -> int:
    return int(at.replace(tzinfo=UTC).timestamp()) * 1_000_000
