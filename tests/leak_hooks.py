"""Has pytest search what every test left behind for secrets, and fail the run that finds one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.leaks import Leak, Search, named_in

SEARCHED: Final = "searched for secrets"


class LeakHooks:
    """Searches what a test kept and what was captured when it has ended, and shared folders at the end."""

    def __init__(self) -> None:
        self._search = Search()
        self._done: set[Path] = set()
        self._total = [0, 0, 0]

    def of_shared(self, basis: Path) -> list[Leak]:
        """Return what is wrong in the folders that no single test owns."""
        rest = sorted(path for path in basis.iterdir() if path not in self._done)
        return [
            Leak(f"{path.name}/{leak.where}", leak.kind)
            for path in rest
            if path.is_dir() and not path.is_symlink()
            for leak in self._search.folder(path, {})
        ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let a test fail that left a secret in a log; what was captured is not repeated."""
        report = yield
        if call.when == "teardown" and (found := self._of(item, report)):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {told(found)}"
            report.sections = []
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the process that gathers, where there is one, how much was searched."""
        searched = self._search.searched
        mine = [searched.files, searched.bytes, searched.texts]
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[SEARCHED] = mine
        else:
            self._add(mine)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 (xdist's own)
        """Add what another process searched."""
        self._add(getattr(node, "workeroutput", {}).get(SEARCHED, [0, 0, 0]))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how much was searched."""
        files, size, texts = self._total
        if files or texts:
            terminalreporter.write_line(
                f"{SEARCHED}: {files:,} files ({size / 2**20:,.0f} MiB), {texts:,} captured outputs"
            )

    def _add(self, more: list[int]) -> None:
        self._total = [one + other for one, other in zip(self._total, more, strict=True)]

    def _of(self, item: pytest.Item, report: pytest.TestReport) -> list[Leak]:
        known = named_in(getattr(item, "module", None))
        found = [
            leak for name, text in report.sections for leak in self._search.text(name.lower(), text, known)
        ]
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if isinstance(folder, Path):
            self._done.add(folder)
            found += self._search.folder(folder, known)
        return found


def told(found: list[Leak]) -> str:
    """Say what is wrong."""
    return f"{'; '.join(map(str, found))}: no log may, and no file but those that tests/leaks.py names"
