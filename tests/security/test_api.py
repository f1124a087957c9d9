"""The API under attack: generated requests to every route, names that climb, bodies too large or too slow."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from rollout.api.rules import OPEN, RULES
from rollout.client.answers import PROBLEM
from tests.api.whole import UNIT_KEY, Whole, whole
from tests.security.test_roles import FILLED

EXAMPLES: Final = int(os.environ.get("SECURITY_EXAMPLES", "4"))
"""Generated requests of each kind to each route; `make security` takes many more."""
CHECKED: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
"""Of the others, roles and broken tokens are tried by name in `test_roles`; and what a right shape means is
decided by what there is: a name that nobody gave is refused, a text that is no policy is answered by what is
wrong with it."""
LARGEST: Final = 33 * 2**20
CLIMBING: Final = (
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e%2ftoken",
    "..%5c..%5ctoken",
    "%00",
    "churn-v2%00.html",
    "%2fetc%2fpasswd",
    "%c0%ae%c0%ae%2ftoken",
    "..;%2ftoken",
    "a" * 5_000,
)


@pytest.fixture(scope="module", name="there")
def _there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("whole")) as served:
        yield served


def bearing(there: Whole, role: str = "admin") -> dict[str, str]:
    return {"authorization": f"Bearer {there.secrets[role]}"}


def writes() -> list[tuple[str, str]]:
    return sorted(rule for rule in RULES if rule[0] in {"POST", "PUT"})


def attack(there: Whole, operation: Any, mode: GenerationMode, **fixed: Any) -> int:  # noqa: ANN401 (its own classes)
    """Send generated requests to one route; return how many."""
    sent = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def check(case: Any) -> None:  # noqa: ANN401
        nonlocal sent
        sent += 1
        case.call_and_validate(headers=bearing(there), checks=CHECKS.get_by_names(CHECKED))

    check()
    return sent


@pytest.mark.slow
def test_no_generated_request_finds_a_defect(there: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    document: dict[str, Any] = httpx.get(f"{there.url}/openapi.json", trust_env=False).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=there.url)
    sent = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        names = {key: value for key, value in FILLED.items() if f"{{{key}}}" in operation.path}
        if operation.path == "/v1/snapshot":  # it may wait for half a minute, as it was asked to
            sent += attack(there, operation, GenerationMode.POSITIVE, query={"node": "n-1", "wait_s": 0})
            continue
        sent += attack(there, operation, GenerationMode.POSITIVE)
        if names:
            sent += attack(there, operation, GenerationMode.POSITIVE, path_parameters=names)
        if operation.body or operation.query or operation.headers:
            sent += attack(there, operation, GenerationMode.NEGATIVE)
    assert sent > len(RULES)
    print(f"{sent:,} generated requests to {len(RULES)} routes")  # noqa: T201 (`make security` shows it)


def test_no_name_climbs_out_of_its_place(there: Whole) -> None:
    (there.folder.parent / "token").write_text("outside")
    before = {path for path in there.folder.parent.rglob("*") if "lake" not in path.parts}
    told = []
    with httpx.Client(base_url=there.url, trust_env=False, headers=bearing(there)) as http:
        for method, path in sorted(RULES):
            for key in re.findall(r"\{(\w+)\}", path):
                for name in CLIMBING:
                    place = path.replace(f"{{{key}}}", name).format(**FILLED)
                    answer = http.request(method, place)
                    told.append(answer.text)
                    assert 400 <= answer.status_code < 500, (method, place, answer.text)
                    assert answer.headers["content-type"] == PROBLEM
    assert not any("outside" in text or "root:" in text for text in told)
    assert {path for path in there.folder.parent.rglob("*") if "lake" not in path.parts} <= before


def test_bodies_that_are_too_large_are_refused_and_unread_without_a_token(
    there: Whole,
) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(LARGEST // 2**16):
            sent += 2**16
            yield b"[" * 2**16

    with httpx.Client(base_url=there.url, trust_env=False, timeout=60) as http:
        for method, path in writes():
            for headers in (bearing(there), {}):
                sent = 0
                try:
                    answer = http.request(
                        method,
                        path.format(**FILLED),
                        params={"start": 0, "end": 1},
                        headers=headers,
                        content=pieces(),
                    )
                except httpx.TransportError:
                    continue  # the connection was ended before the body was: that is a refusal too
                if not headers:
                    expected = {401}
                elif path.endswith(("/rebuild", "/replay")):
                    expected = {202, 404}  # it takes no body, and reads none
                else:
                    expected = {413}
                assert answer.status_code in expected, (method, path, answer.status_code, answer.text[:200])


def test_a_body_that_never_comes_is_not_waited_for_without_a_token(there: Whole) -> None:
    host, port = there.url.removeprefix("http://").split(":")
    for method, path in writes():
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = f"{method} {path.format(**FILLED)} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000"
            connection.sendall(f"{head}\r\n\r\n".encode())
            assert b" 401 " in connection.recv(65_536).split(b"\r\n")[0], (method, path)


def test_secrets_stand_in_no_answer_and_no_file(there: Whole) -> None:
    kept = [*there.secrets.values(), UNIT_KEY]
    with httpx.Client(base_url=there.url, trust_env=False) as http:
        made = http.post("/v1/tokens", json={"name": "kept", "role": "app"}, headers=bearing(there))
        kept.append(made.json()["secret"])
        answers = [
            http.get(path.format(**FILLED), headers=bearing(there, role)).text
            for method, path in RULES
            if method == "GET" and path not in {"/v1/unit-key", "/v1/snapshot"}
            for role in ("admin", "viewer", "node", "app")
        ]
    assert set(RULES) >= OPEN
    files = [path.read_bytes() for path in there.folder.rglob("*") if path.is_file()]
    assert files
    for secret in kept:
        assert not any(secret in answer for answer in answers)
        assert not any(secret.encode() in content for content in files)
