"""Receivers that a policy names and the settings at hand do not: a second look, where lint can take it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.policyfile.finding import Finding
    from rollout.policyfile.reading import Reading
    from rollout.settings.settings import Settings


def strangers(readings: "Sequence[Reading]", settings: "Settings") -> "Iterator[Finding]":
    """Yield a warning for each unknown receiver; the control plane's own file may stand elsewhere."""
    file = settings.receivers_file and settings.receivers_file.expanduser()
    if file is None or not file.exists():
        return
    from rollout.errors import nearest
    from rollout.notify.receivers import read
    from rollout.policyfile.finding import Finding, Severity
    from rollout.policyfile.nodes import walk

    known = read(file)
    for reading in readings:
        for index, notice in enumerate(() if reading.policy is None else reading.policy.notify):
            if notice.to in known or reading.root is None:
                continue
            path = ("spec", "notify", index, "to")
            guess = nearest(notice.to, known)
            remedy = (
                f"did you mean '{guess}'?" if guess else "it is refused at its start where nobody knows it"
            )
            line = walk(reading.root, path)[1]
            what = f"nobody is called so in {file.name}"
            yield Finding(reading.file, line, path, what, notice.to, remedy, Severity.WARNING)
