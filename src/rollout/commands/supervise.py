"""The tiny process beside each action: it begins it once, bounds it, and writes down how it ended.

Run by path with nothing but the standard library, so that it needs no import path and starts fast. It
outlives the process that started it; files in the action's folder are all that they tell each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ORDER, BEGUN, CHILD, ENDED, STOP = "order.json", "begun.json", "child.json", "ended.json", "stop"
OUTPUT, OLDER_OUTPUT = "output.log", "output.older.log"
OUTPUT_BYTES: Final = 512 * 1024
"""Of each of the two files: at least so much of what an action wrote last is kept."""
LOOK_S: Final = 0.05
NOT_FOUND: Final = 127
BY_ITSELF: Final = "ended by itself"
TOO_LATE: Final = "ran past its deadline"
_CHUNK_BYTES: Final = 65_536


def birth(pid: int) -> str | None:
    """Return what tells a process from a later one of the same number, or None when there is none."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name, in parentheses, may hold anything: the fields after it begin at the last one.
            state, *rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return None if state in {"Z", "X"} else f"{boot}/{rest[18]}"
    asked = subprocess.run(  # noqa: S603 (fixed arguments)
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, begin = asked.stdout.strip().partition(" ")
    return None if asked.returncode or state.startswith("Z") else begin.strip()


def identity(pid: int) -> dict[str, object]:
    """Return how a process is written down."""
    return {"pid": pid, "birth": birth(pid)}


def is_alive(known: dict[str, object]) -> bool:
    """Return whether the process that was written down still runs."""
    pid, was_born = known["pid"], known["birth"]
    return isinstance(pid, int) and was_born is not None and birth(pid) == was_born


def end_group(pid: int, number: signal.Signals) -> None:
    """Signal every process of a group, if any is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def put(file: Path, content: object) -> None:
    """Write a file whole or not at all, so that a power cut cannot take it back."""
    fresh = file.with_name(f"{file.name}.{os.urandom(6).hex()}")
    with fresh.open("w", encoding="utf-8") as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
    _sync_folder(file.parent)


def claim(file: Path, content: object) -> bool:
    """Write a file that does not exist yet; return whether we are the one who did."""
    fresh = file.with_name(f"{file.name}.{os.urandom(6).hex()}")
    put(fresh, content)
    try:
        os.link(fresh, file)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    _sync_folder(file.parent)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Output:
    """The newest output of an action, in two files of bounded size."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stream = (folder / OUTPUT).open("ab", buffering=0)

    def write(self, content: bytes) -> None:
        """Append, and begin a new file when this one is full."""
        self._stream.write(content)
        if self._stream.tell() >= OUTPUT_BYTES:
            self._stream.close()
            (self._folder / OUTPUT).replace(self._folder / OLDER_OUTPUT)
            self._stream = (self._folder / OUTPUT).open("ab", buffering=0)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def supervise(folder: Path, order: dict[str, Any]) -> None:
    """Carry an action out from its beginning to its end; its beginning has been claimed."""
    output = _Output(folder)
    try:
        child = subprocess.Popen(  # noqa: S603 (a reviewed policy's own list of arguments, never a shell)
            order["command"],
            cwd=order["working_folder"],
            env=order["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        output.write(f"{order['command'][0]}: {error}\n".encode())
        put(folder / ENDED, {"code": NOT_FOUND, "cause": "could not be started"})
        return
    put(folder / CHILD, identity(child.pid))
    cause = _watch(folder, child, output, order)
    end_group(child.pid, signal.SIGKILL)  # what the action left in its group
    _drain(child, output)
    output.close()
    put(folder / ENDED, {"code": child.returncode, "cause": cause})


def _watch(folder: Path, child: subprocess.Popen[bytes], output: _Output, order: dict[str, float]) -> str:
    """Keep output until the action has ended, by itself or by our asking and then by force."""
    assert child.stdout is not None  # noqa: S101 (ours: a pipe was asked for)
    cause, kill_at = BY_ITSELF, float("inf")
    deadline = time.monotonic() + order["deadline_s"]
    is_open = True
    while child.poll() is None:
        ready = select.select([child.stdout] if is_open else [], [], [], LOOK_S)[0]
        if ready:
            content = os.read(child.stdout.fileno(), _CHUNK_BYTES)
            is_open = bool(content)
            output.write(content)
        now = time.monotonic()
        asked = "stopped" if (folder / STOP).exists() else TOO_LATE if now >= deadline else ""
        if asked and cause == BY_ITSELF:
            cause, kill_at = asked, now + order["kill_after_s"]
            end_group(child.pid, signal.SIGTERM)
        if now >= kill_at:
            end_group(child.pid, signal.SIGKILL)
    return cause


def _drain(child: subprocess.Popen[bytes], output: _Output) -> None:
    """Keep what is left in the pipe, without waiting for anybody who may still hold it."""
    assert child.stdout is not None  # noqa: S101 (as above)
    os.set_blocking(child.stdout.fileno(), False)
    for _ in range(OUTPUT_BYTES // _CHUNK_BYTES):
        try:
            content = os.read(child.stdout.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not content:
            return
        output.write(content)


def main(folder: Path) -> None:
    """Claim the beginning and go on in a process of our own; return to the starter once that is settled."""
    settled, settling = os.pipe()
    if os.fork():
        os.close(settling)
        os.read(settled, 1)  # until the other side is closed
        return
    os.close(settled)
    os.setsid()
    # Another one may be put in its place at any time: what is claimed is what was read.
    order = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    known = {"uid": order["uid"], "fingerprint": order["fingerprint"], "begun_us": time.time_ns() // 1_000}
    is_ours = claim(folder / BEGUN, identity(os.getpid()) | known)
    os.close(settling)
    if is_ours:
        supervise(folder, order)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
