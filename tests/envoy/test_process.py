"""The process: it comes back when killed, ends when asked to, and never outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollout.domain.assignment import CONTROL, Split
from rollout.envoy.bootstrap import HEALTH_PATH, Address
from rollout.envoy.document import Kind
from rollout.envoy.patience import Patience
from rollout.envoy.process import (
    BOOTSTRAP_FILE,
    LONGEST_PAUSE_S,
    OWN_LOG_FILE,
    RESTARTS,
    EnvoyProcess,
    pause_s,
)
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged
from rollout.errors import ProxyFailed
from tests.command import ROOT
from tests.envoy.examples import free_port, logged, placed, policy_for, running, until
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

REQUEST = Request("/churn", {"x-user-id": "somebody"})
HOLDER = """
import sys, time
from pathlib import Path
from rollout.envoy.bootstrap import Address
from rollout.envoy.proxy import Proxy

proxy = Proxy(Path(sys.argv[1]), Address(int(sys.argv[2])), concurrency=1)
proxy.start()
print(proxy.pid, flush=True)
time.sleep(60)
"""


def children() -> set[str]:
    """Return the processes that we have started and that have not ended."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "ppid=,pid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return {pid for parent, pid, command in rows if parent == str(os.getpid()) and "ps -A" not in command}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_envoy_comes_back_with_its_last_good_files(tmp_path: Path) -> None:
    with serving(CONTROL) as baseline, running(tmp_path) as (proxy, port):
        policy = policy_for(baseline.url, baseline.url)
        proxy.publish([placed(policy, 2)])
        first = proxy.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        # Publication waits for the next life.
        result = proxy.publish([placed(policy, 3)])
        assert isinstance(result, Acknowledged)
        assert proxy.starts == 2
        assert proxy.pid != first
        assert send(port, [REQUEST])[0].code == 200


def test_a_stop_leaves_no_process_and_loses_no_line(tmp_path: Path) -> None:
    before = children()
    with serving(CONTROL) as baseline:
        with running(tmp_path) as (proxy, port):
            proxy.publish([placed(policy_for(baseline.url, baseline.url))])
            pid = proxy.pid
            assert pid is not None
            send(port, [REQUEST] * 500)
        assert not is_alive(pid)
        assert proxy.access_log.read_bytes().count(b"\n") == 500
        with pytest.raises(ProxyFailed):
            proxy.publish([])
    assert children() == before
    assert not [path for path in tmp_path.iterdir() if path.is_socket()]


def test_a_drain_ends_when_nobody_is_left(tmp_path: Path) -> None:
    with running(tmp_path) as (proxy, port):
        assert send(port, [Request(HEALTH_PATH)])[0].code == 200
        pid = proxy.pid
        start = time.monotonic()
        proxy.stop(drain_s=30.0)
        assert time.monotonic() - start < 20.0
        assert pid is not None
        assert not is_alive(pid)


def test_envoy_does_not_outlive_us(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path), str(free_port())]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert is_alive(pid)
        holder.kill()
    assert until(lambda: not is_alive(pid))


def test_an_interrupt_at_the_terminal_is_ours_to_handle(tmp_path: Path) -> None:
    with running(tmp_path) as (proxy, _):
        assert proxy.pid is not None
        assert os.getpgid(proxy.pid) != os.getpgid(0)


def test_a_broken_file_is_undone_at_the_next_start(tmp_path: Path) -> None:
    with serving(CONTROL) as baseline:
        with running(tmp_path) as (proxy, _):
            proxy.publish([placed(policy_for(baseline.url, baseline.url), 2)])
            live = proxy.live
        (tmp_path / Kind.ROUTES.file_name).unlink()
        (tmp_path / Kind.ROUTES.file_name).write_text("{")
        with running(tmp_path) as (proxy, port):
            assert proxy.live == live
            assert proxy.live.splits == {("churn-v2", 1): Split(2)}
            assert send(port, [REQUEST])[0].code == 200


def test_a_log_is_rotated_without_losing_a_line(tmp_path: Path) -> None:
    with serving(CONTROL) as baseline, running(tmp_path) as (proxy, port):
        proxy.publish([placed(policy_for(baseline.url, baseline.url))])
        send(port, [REQUEST] * 300)
        renamed = proxy.rotate_log("access.1.log")
        send(port, [REQUEST] * 200)
        assert until(proxy.access_log.exists)
        assert until(lambda: (proxy.access_log.read_bytes() + renamed.read_bytes()).count(b"\n") == 500)
        assert logged(proxy, 1)


def test_the_administration_is_for_its_owner_only(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    for folder in (tmp_path, deep):  # the second is too long for a socket's path
        with running(folder) as (proxy, _):
            assert isinstance(proxy.publish([]), Acknowledged)
            sockets = [path for path in folder.iterdir() if path.is_socket()]
            assert len(sockets) == (0 if folder == deep else 1)
            assert all(path.stat().st_mode & 0o777 == 0o600 for path in sockets)


def test_one_folder_is_one_proxy(tmp_path: Path) -> None:
    with running(tmp_path), pytest.raises(ProxyFailed, match="another proxy runs in this folder"):
        Proxy(tmp_path, Address(free_port())).start()


def test_a_port_that_somebody_has_is_refused(tmp_path: Path) -> None:
    passed = [0.0]

    def pass_time(duration_s: float) -> None:
        passed[0] += duration_s

    patience = Patience(now=lambda: passed[0], sleep=pass_time)
    with running(tmp_path / "one") as (_, port), pytest.raises(ProxyFailed, match="cannot be listened on"):
        Proxy(tmp_path / "two", Address(port), patience=patience).start()
    assert passed[0] > 4.0


def test_an_envoy_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ProxyFailed, match=r"(?s)Envoy says: .*malformed IP address"):
        Proxy(tmp_path, Address(free_port(), host="localhost")).start()


def test_an_envoy_that_never_stays_up_is_given_up(tmp_path: Path) -> None:
    process = EnvoyProcess(tmp_path, concurrency=1, pause_s=lambda _: 0.0)
    (tmp_path / BOOTSTRAP_FILE).write_text('{"nonsense": 1}')
    process.start()
    assert until(lambda: process.gave_up, 60.0)
    process.stop()
    assert process.starts == RESTARTS + 1
    assert "nonsense" in (tmp_path / OWN_LOG_FILE).read_text()


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [pause_s(failures) for failures in range(1, 100)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1.0
    assert pauses[-1] == LONGEST_PAUSE_S


def test_patience_ends() -> None:
    passed = [0.0]

    def pass_time(duration_s: float) -> None:
        passed[0] += duration_s

    tries = list(Patience(now=lambda: passed[0], sleep=pass_time).tries(1.0))
    assert 1.0 <= passed[0] < 1.1
    assert 40 < len(tries) < 70
