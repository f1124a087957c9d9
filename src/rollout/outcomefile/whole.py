"""One file from its opening to what was found in it, also when it cannot be read or taken to its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from rollout.errors import ControlPlaneFailed, NotReadable, RequestRefused
from rollout.outcomefile.columns import Asked
from rollout.outcomefile.findings import Findings
from rollout.outcomefile.handing import Door, hand_in
from rollout.outcomefile.reading import Collected, File, Standard, good_rows, opened_file
from rollout.outcomefile.rejects import rejects_in
from rollout.outcomefile.repeats import Seen
from rollout.outcomefile.source import Form, shown_name

Work = Callable[[File, Collected, Seen], None]
OnRead = Callable[[int, int | None], object]


def checking(standard: Standard) -> Work:
    """Return work that checks each row and sends none."""

    def work(file: File, collected: Collected, seen: Seen) -> None:
        for record, told in good_rows(file, standard, collected):
            collected.findings.take(told)
            seen.add(record.line, told)

    return work


def handing(standard: Standard, door: Door) -> Work:
    """Return work that hands in each good row."""

    def work(file: File, collected: Collected, seen: Seen) -> None:
        hand_in(good_rows(file, standard, collected), door, collected, seen)

    return work


def found_in(
    named: tuple[str, Form],
    asked: Asked,
    work: Work,
    *,
    rejects: str | None = None,
    on_read: OnRead = lambda _done, _all: None,
) -> Findings:
    """Do the work on one file, and return what was found."""
    name, form = named
    findings, seen = Findings(shown_name(name), form), Seen()
    with ExitStack() as held:
        held.callback(seen.close)
        try:
            file = held.enter_context(opened_file(name, form, asked))
            findings.unused = file.unused
            kept = None
            if rejects is not None:
                kept = held.enter_context(rejects_in(rejects, asked.delimiter))
                kept.begin(file.table.columns)
            work(file, Collected(findings, kept, on_read), seen)
        except NotReadable as error:
            findings.failures = error.problems
        except (ControlPlaneFailed, RequestRefused) as error:
            findings.failures, findings.was_stopped = error.problems, True
        findings.repeats = seen.found()
    return findings
