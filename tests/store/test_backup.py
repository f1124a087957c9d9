"""The commands for backup and restore, as the page about the control database has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rollout.store.database import Database
from tests.contracts.ledger import entry, moved
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US
from tests.store.databases import server
from tests.store.test_ledger import ledger_of

PAGE = Path(__file__).parents[2] / "docs" / "control-database.md"
WITHIN_S = 60


def commands(kind: str) -> list[str]:
    """Return the commands of the page's part about backups for one kind: to save, and to bring back."""
    part = PAGE.read_text(encoding="utf-8").split("## Backup and restore")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    lines = [line.partition("  #") for block in blocks for line in block.splitlines()]
    return [command.strip() for command, _, about in lines if kind in about]


def run(command: str, folder: Path, variables: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-ec", command.replace("DIR/", "./")],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_was_backed_up_comes_back_and_goes_on(address: Path | str, tmp_path: Path) -> None:
    variables = {}
    if isinstance(address, Path):
        save, bring_back = commands("SQLite")
        if shutil.which("sqlite3") is None:
            pytest.skip("sqlite3, which the page uses, is not on the PATH")
        assert address.parent == tmp_path
    else:
        save, bring_back = commands("PostgreSQL")
        programs = Path(server().program("pg_dump")).parent
        variables = {
            "DATABASE": address.replace("postgresql+psycopg:", "postgresql:"),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        }
    database = Database.writer(address)
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US)
    assert ledger.record(seen, moved(seen.experiment), entry(1))
    (kept,) = ledger.runs()
    run(save, tmp_path, variables)
    assert ledger.record(kept, kept.experiment, entry(2)), "it was saved while it ran"
    written = {file: file.read_bytes() for file in tmp_path.glob("control.db-*")}
    database.close()
    for file, content in written.items():
        file.write_bytes(
            content
        )  # as whoever was killed leaves it: SQLite would take it for the backup's own
    run(bring_back, tmp_path, variables)
    database = Database.writer(address)
    ledger = ledger_of(database)
    assert ledger.runs() == (kept,)
    assert ledger.verify().problems == ()
    assert ledger.record(kept, kept.experiment, entry(2))
    assert len(ledger.history(kept.experiment.uid)) == 2
    database.close()
