"""TLS of our own listeners: believed by their authority only, renewed in place, refused in one sentence."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from rollout.api.app import create_app
from rollout.api.tls import Tls
from rollout.client.addresses import Addresses, Trust
from rollout.client.connection import Connection, Request
from rollout.envoy.bootstrap import Address
from rollout.errors import ControlPlaneFailed, WrongSettings
from rollout.wiring.parts import serve
from tests.e2e.models import free_port
from tests.envoy.certificates import Authority

HEALTH = Request("GET", "/healthz")
WITHIN_S = 30.0


def files(folder: Path, both: Path) -> Tls:
    """Return a certificate and its key, as they are put where a listener looks for them."""
    own = Tls(folder / "served.crt", folder / "served.key")
    shutil.copy(both.with_suffix(".key"), own.key_file)
    shutil.copy(both.with_suffix(".crt"), own.certificate_file)
    return own


def asked(port: int, trust: Trust | None, host: str = "127.0.0.1") -> str:
    with closing(Connection(Addresses([f"https://{host}:{port}"], trust))) as connection:
        return connection.send(HEALTH).content.decode()


def serial(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as spoken:
            return spoken.getpeercert(binary_form=True) or b""


@pytest.fixture(name="authority", scope="module")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_listener_is_believed_by_its_authority_and_by_its_own_process_only(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    port = free_port()
    with ExitStack() as held:
        own = files(tmp_path, authority.certificate("IP:127.0.0.1"))
        serve(held, Address(port), create_app([]), option="--control-port", tls=own)
        assert "fine" in asked(port, Trust(authority.file))
        assert "fine" in asked(port, Trust(own.certificate_file, is_own=True))
        for trust in (None, Trust(other.file)):
            with pytest.raises(ControlPlaneFailed, match="no secure connection"):
                asked(port, trust)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)


def test_a_name_that_the_certificate_does_not_bear_is_not_believed(
    authority: Authority, tmp_path: Path
) -> None:
    port = free_port()
    with ExitStack() as held:
        own = files(tmp_path, authority.certificate("DNS:control.example"))
        serve(held, Address(port), create_app([]), option="--control-port", tls=own)
        with pytest.raises(ControlPlaneFailed, match="no secure connection"):
            asked(port, Trust(authority.file))
        assert "fine" in asked(port, Trust(own.certificate_file, is_own=True))


def test_a_new_certificate_is_used_and_a_broken_one_is_not(authority: Authority, tmp_path: Path) -> None:
    own = files(tmp_path, authority.certificate("IP:127.0.0.1"))
    context, ending = own.context(), threading.Event()
    keeper = threading.Thread(target=own.keep_new, args=[context, ending, 0.02])
    keeper.start()
    port = free_port()
    try:
        with socket.create_server(("127.0.0.1", port)) as listener:
            threading.Thread(target=_shake_hands, args=[listener, context], daemon=True).start()
            first = serial(port)
            own.certificate_file.write_text("half a certificate")
            time.sleep(0.2)
            assert serial(port) == first
            files(tmp_path, authority.certificate("DNS:renewed.example"))
            deadline = time.monotonic() + WITHIN_S
            while serial(port) == first and time.monotonic() < deadline:
                time.sleep(0.05)
            assert serial(port) != first
    finally:
        ending.set()
        keeper.join()


def test_files_that_cannot_be_used_are_refused_in_a_sentence(authority: Authority, tmp_path: Path) -> None:
    one, other = (authority.certificate(name) for name in ("DNS:one.example", "DNS:other.example"))
    wrong = [
        Tls(tmp_path / "none.crt", tmp_path / "none.key"),
        Tls(one.with_suffix(".crt"), other.with_suffix(".key")),
        Tls(authority.file, one.with_suffix(".ext")),
    ]
    for tls in wrong:
        with pytest.raises(WrongSettings, match="cannot be used for TLS"):
            tls.context()
    with pytest.raises(WrongSettings, match="ROLLOUT_CONTROL_CA_FILE"):
        Trust(one.with_suffix(".ext")).context()


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            context.wrap_socket(plain, server_side=True).close()
        except OSError:
            plain.close()
