"""`rollout notify`, as a user types it, with real receivers."""

from __future__ import annotations

import json
from pathlib import Path

from rollout.notify.webhook import key_bytes
from tests.command import run
from tests.contracts.notifier import SECRET
from tests.notify.servers import web
from tests.notify.test_couriers import KEY, webhook


def receivers(folder: Path, text: str) -> dict[str, str]:
    """Write the file of receivers, and return the variable that names it."""
    file = folder / "receivers.toml"
    file.write_text(text)
    return {"ROLLOUT_RECEIVERS_FILE": str(file)}


def test_a_test_message_arrives_and_says_so(tmp_path: Path) -> None:
    with web() as server:
        known = receivers(tmp_path, webhook(server.port))
        result = run("notify", "test", "ci", home=tmp_path, **known)
    assert (result.returncode, result.stderr) == (0, "")
    (got,) = server.got
    assert result.stdout == f"ci has taken message {got.headers['webhook-id']}\n"
    (event,) = got.content["events"]
    assert (event["occasion"], event["told_as"]) == ("tested", [])


def test_a_test_message_that_is_refused_says_why_and_no_secret(tmp_path: Path) -> None:
    with web() as server:
        server.answers = [(403, {})] * 2
        known = receivers(tmp_path, webhook(server.port))
        result = run("notify", "test", "ci", home=tmp_path, **known)
        told = run("notify", "test", "ci", "--output", "json", home=tmp_path, **known)
    assert result.returncode == 1
    assert "has not taken" in result.stdout
    assert "it answered 403" in result.stdout
    assert json.loads(told.stdout)["why"] == "it answered 403"
    assert SECRET not in result.stdout + result.stderr + told.stdout


def test_a_wrong_name_is_told_the_nearest(tmp_path: Path) -> None:
    result = run("notify", "test", "cci", home=tmp_path, **receivers(tmp_path, webhook(1)))
    assert result.returncode == 2
    assert "nobody is called 'cci'; did you mean 'ci'?" in result.stderr


def test_receivers_are_listed_without_addresses(tmp_path: Path) -> None:
    text = webhook(1) + f'[people]\napprise = "slack://{SECRET}"\nper_minute = 4\n'
    result = run("notify", "ls", "--output", "json", home=tmp_path, **receivers(tmp_path, text))
    found = json.loads(result.stdout)["receivers"]
    assert found == [
        {"name": "ci", "service": "webhook", "per minute": "10"},
        {"name": "people", "service": "slack", "per minute": "4"},
    ]
    shown = run("settings", home=tmp_path, **receivers(tmp_path, text)).stdout
    assert not any(secret in result.stdout + shown for secret in (SECRET, KEY))


def test_without_a_file_it_says_which_setting(tmp_path: Path) -> None:
    result = run("notify", "ls", home=tmp_path)
    assert result.returncode == 2
    assert "ROLLOUT_RECEIVERS_FILE" in result.stderr


def test_a_key_is_one_and_another_each_time(tmp_path: Path) -> None:
    keys = {run("notify", "key", home=tmp_path).stdout.strip() for _ in range(2)}
    assert len(keys) == 2
    assert all(key_bytes(key) for key in keys)
