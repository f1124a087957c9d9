"""What is kept: secrets and unit ids stand in no file that others read, nor in a dump, log or answer."""

from __future__ import annotations

import hmac
import json
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from socket import AF_UNIX, socket

import httpx
import pytest
from fastapi import HTTPException, Request

from rollout.api.access import application_of, bearer
from rollout.api.applications import Applications
from rollout.api.rules import RULES
from rollout.envoy.process import BOOTSTRAP_FILE
from tests.api.test_outcomes import digest_of
from tests.command import environment
from tests.e2e.models import free_port, model
from tests.e2e.test_up import first_answer, policy
from tests.envoy.examples import running, until
from tests.security.exposed import Exposed, codes, head

WITHIN_S = 60.0
UNIT = "raw-unit-7f3a9c@example"
PASSWORD = "hunter2-of-a-client"  # noqa: S105 (it opens nothing)
SHUT = stat.S_IRWXG | stat.S_IRWXO
DUMPS = ("/config_dump?include_eds", "/stats", "/clusters", "/listeners", "/server_info", "/runtime")
PAGES = (
    "",
    "/churn-v2",
    "/churn-v2/history",
    "/churn-v2/evidence",
    "/churn-v2/report",
    "/churn-v2/report?format=json",
    "/nobody",
)
COMMANDS = ("/config_dump", "/stats", "/certs", "/clusters", "/server_info", "/quitquitquit", "/logging")


def admin_of(folder: Path) -> Path:
    """Return the socket of a proxy's administration; it stands elsewhere when the folder's name is long."""
    start_file = json.loads((folder / BOOTSTRAP_FILE).read_text())
    return Path(start_file["admin"]["address"]["pipe"]["path"])


def dumped(admin: Path, path: str) -> str:
    """Return what Envoy's administration shows to whoever may open its socket."""
    connection = HTTPConnection("envoy")
    with socket(AF_UNIX) as connection.sock:
        connection.sock.connect(str(admin))
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def readable_by_others(folder: Path) -> list[str]:
    """Return the files that somebody else may read, who may look into the folder."""

    def is_shut(path: Path) -> bool:
        return not path.lstat().st_mode & SHUT or (path != folder and is_shut(path.parent))

    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not is_shut(path))


def holding(folder: Path, text: str) -> set[str]:
    """Return the files that hold a text."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in files if text.encode() in path.read_bytes()}


@contextmanager
def running_alone(folder: Path, *words: str) -> Iterator[None]:
    """Run a verb with its state in the folder `d`, and with everything that it says in the file `said`."""
    with (
        (folder / "said").open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-m", "rollout", *words, "--data", str(folder / "d")],
            env=environment(folder, ROLLOUT_LOG_LEVEL="debug"),
            stdout=said,
            stderr=said,
            umask=0o022,
        ) as process,
    ):
        try:
            assert until(lambda: b"Ctrl-C" in (folder / "said").read_bytes(), WITHIN_S)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(WITHIN_S)


def told_and_recorded(data: Path) -> None:
    """Wait until a node has recorded a unit and an outcome, and has set aside a line that it cannot read."""
    log, aside = data / "envoy" / "access.log", data / "node" / "exposures.quarantine"
    assert until(lambda: UNIT in log.read_text(), WITHIN_S)
    with log.open("a") as stream:
        stream.write(f'{{"unit":"{UNIT}", torn\n')
    assert until(lambda: aside.exists() and UNIT in aside.read_text(), WITHIN_S)
    assert until(lambda: any((data / "lake" / "outcomes").glob("*.parquet")), WITHIN_S)


def use(data: Path, control: httpx.Client, users: httpx.Client, example: str) -> str:
    """Start a policy, meet it as a user with secrets, report, and make mistakes; return every answer."""
    allowed = {"Authorization": f"Bearer {(data / 'token').read_text().strip()}"}
    wrong = {"Authorization": f"Bearer {PASSWORD}"}
    told = [control.post("/v1/experiments", content=example, headers=allowed)]
    assert told[0].status_code == 201, told[0].text
    first_answer(users, "/churn")
    carried = {"x-user-id": UNIT, "authorization": f"Bearer {PASSWORD}", "cookie": f"id={PASSWORD}"}
    assert users.get(f"/churn?password={PASSWORD}", headers=carried).status_code == 200
    told += [users.get(path, headers=carried) for path in ("/nobody", "/churn%2f")]
    one = {"unit": UNIT, "metric": "converted", "value": 1, "key": PASSWORD}
    now_us = (data / "token").stat().st_mtime_ns // 1_000
    accepted = control.post("/v1/outcomes", json={**one, "ts_us": now_us}, headers=allowed)
    assert accepted.status_code == 202, accepted.text
    for mistake in ({**one, "ts_us": 1}, [{**one, "ts_us": now_us, "value": 7}, PASSWORD], PASSWORD):
        told.append(control.post("/v1/outcomes", json=mistake, headers=allowed))
    told += [control.post("/v1/experiments/churn-v2/rollback", content=PASSWORD, headers=allowed)]
    told += [control.get(f"/v1/experiments{page}", headers=one) for one in (allowed, wrong) for page in PAGES]
    told += [control.get(page) for page in ("/openapi.json", "/healthz", "/readyz", f"/{UNIT}")]
    document = control.get("/openapi.json").json()["paths"]
    served = {(method.upper(), path) for path, methods in document.items() for method in methods}
    assert served == set(RULES), "what a house serves is what the roles were tried on"
    return "".join(str(one.headers) + one.text for one in told[:-1])


@dataclass(frozen=True, slots=True)
class Found:
    """What lay in a folder while it was used: for others to read, and which files hold which text."""

    exposed: list[str]
    held: dict[str, set[str]]
    dump: str

    @classmethod
    def of(cls, data: Path, *texts: str) -> Found:
        dump = "".join(dumped(admin_of(data / "envoy"), path) for path in DUMPS)
        return cls(readable_by_others(data), {text: holding(data, text) for text in texts}, dump)


@pytest.mark.slow
def test_a_house_keeps_secrets_and_ids_to_itself(tmp_path: Path) -> None:
    data, ports = tmp_path / "d", (free_port(), free_port())
    data.mkdir()
    data.chmod(0o755)  # as somebody else made it
    words = ("up", "--proxy-port", str(ports[0]), "--control-port", str(ports[1]))
    with model("fine") as baseline, running_alone(tmp_path, *words):
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", trust_env=False) as users,
            httpx.Client(base_url=f"http://127.0.0.1:{ports[1]}", trust_env=False) as control,
        ):
            answers = use(data, control, users, policy(baseline, baseline))
        told_and_recorded(data)
        token, key = ((data / name).read_text().strip() for name in ("token", "unit.key"))
        found = Found.of(data, UNIT, PASSWORD, token, key)
    assert found.exposed == []
    ids = {"envoy/access.log", "node/exposures.quarantine"}
    assert found.held == {UNIT: ids, PASSWORD: set(), token: {"token"}, key: {"unit.key"}}
    assert "churn-v2" in found.dump
    said = (tmp_path / "said").read_text()
    assert "could not be understood" in said
    for text in (UNIT, PASSWORD, token, key):
        for place in (found.dump, answers, said):
            assert text not in place


@pytest.mark.slow
def test_a_node_alone_keeps_secrets_and_ids_to_itself(tmp_path: Path) -> None:
    data, ports = tmp_path / "d", (free_port(), free_port())
    data.mkdir()
    data.chmod(0o755)
    with model("fine") as baseline:
        (tmp_path / "churn.yaml").write_text(policy(baseline, baseline))
        words = (
            "--port",
            str(ports[0]),
            "--agent-port",
            str(ports[1]),
            "--policies",
            str(tmp_path / "churn.yaml"),
        )
        with running_alone(tmp_path, "proxy", *words):
            token, key = ((data / name).read_text().strip() for name in ("token", "unit.key"))
            with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", trust_env=False) as users:
                first_answer(users, "/churn")
                assert users.get("/churn", headers={"x-user-id": UNIT}).status_code == 200
            now_us = (data / "token").stat().st_mtime_ns // 1_000
            outcome = {"unit": UNIT, "metric": "converted", "value": 1, "key": PASSWORD, "ts_us": now_us}
            with httpx.Client(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as application:
                told = application.post(f"http://127.0.0.1:{ports[1]}/v1/outcomes", json=outcome)
            assert told.status_code == 202, told.text
            told_and_recorded(data)
            found = Found.of(data, UNIT, PASSWORD, token, key)
    assert found.exposed == []
    ids = {"envoy/access.log", "node/exposures.quarantine"}
    assert found.held == {UNIT: ids, PASSWORD: set(), token: {"token"}, key: {"unit.key"}}
    said = (tmp_path / "said").read_text()
    for text in (UNIT, PASSWORD, token, key):
        assert text not in found.dump + said


def test_what_envoy_writes_is_its_owners_alone_in_any_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with running(tmp_path) as (proxy, port):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        tmp_path.chmod(0o755)
        with socket() as client:
            client.connect(("127.0.0.1", port))
            client.sendall(head("/"))
            assert codes(client.recv(65_536)) == [404]
        assert until(lambda: proxy.access_log.stat().st_size > 0)
        shut = [proxy.access_log, admin_of(tmp_path)]
        assert [stat.S_IMODE(path.stat().st_mode) for path in shut] == [0o600] * 2
        proxy.rotate_log("old.log")
        with socket() as client:
            client.connect(("127.0.0.1", port))
            client.sendall(head("/"))
            client.recv(65_536)
        assert until(proxy.access_log.exists)
        assert stat.S_IMODE(proxy.access_log.stat().st_mode) == 0o600


@pytest.mark.parametrize("path", COMMANDS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_request_reaches_the_administration(front: Exposed, path: str, method: str) -> None:
    pid, before = front.proxy.pid, len(front.targets())
    assert codes(front.send(head(path, method=method))) == [404]
    received = front.send(head("/churn/.." + path, "host: envoy", method=method))
    assert codes(received) == [404]
    assert (front.proxy.pid, front.targets()[before:]) == (pid, [])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_envoy_listens_on_its_port_and_nowhere_else(front: Exposed) -> None:
    assert front.proxy.pid is not None
    own = Path(f"/proc/{front.proxy.pid}")
    links: list[str] = []
    for one in (own / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile: no listener
            links.append(str(one.readlink()))
    inodes = {match[1] for match in map(re.compile(r"socket:\[(\d+)\]").fullmatch, links) if match}
    rows = [
        line.split() for kind in ("tcp", "tcp6") for line in (own / "net" / kind).read_text().splitlines()[1:]
    ]
    listening = {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes}
    assert listening == {front.port}


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def noted(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    tokens = [f"the token number {number}" for number in range(3)]
    digests = [digest_of(f"of application {number}") for number in range(3)]
    file = tmp_path / "applications.toml"
    file.write_text("".join(f'app{number} = "{digest}"\n' for number, digest in enumerate(digests)))
    applications = Applications(file)
    request = {
        token: Request({"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]})
        for token in [*tokens, "of application 0", "of application 2", "nobody's", ""]
    }
    for shown in tokens:
        compared.clear()
        bearer(tokens)(request[shown])
        assert compared == [token.encode() for token in tokens], "whichever it is, all are compared"
    for shown, name in (("of application 0", "app0"), ("of application 2", "app2")):
        compared.clear()
        assert application_of(tokens, applications)(request[shown]) == name
        assert len(compared) == len(tokens) + len(digests)
    for check in (bearer(tokens), application_of(tokens, applications)):
        for shown in ("nobody's", ""):
            compared.clear()
            with pytest.raises(HTTPException, match="401"):
                check(request[shown])
            assert len(compared) >= len(tokens)
