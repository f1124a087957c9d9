"""The file of receivers: every mistake is named by its key, and no value is ever repeated."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.policy import Event, Notice
from rollout.errors import WrongSettings
from rollout.notify.receivers import Receivers, problems_of, read, unknown_receivers
from tests.domain.examples import POLICY

SECRET = "xoxb-s3cr3t"  # noqa: S105 (of tests)
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()

WRONG = {
    "a = 1": "a: must be a table",
    "[a]": "a: must have either apprise or webhook",
    f'[a]\napprise = "slack://{SECRET}"\nwebhook = "https://b/"\nkeys = ["{KEY}"]': "a: must have either",
    f'[a]\naprise = "slack://{SECRET}"': "a.aprise: unknown key; did you mean 'apprise'?",
    f'[a]\napprise = "{SECRET}"': "a.apprise: must be an address",
    "[a]\napprise = 7": "a.apprise: must be an address",
    f'[a]\napprise = "dbus://{SECRET}"': "a.apprise: reaches nobody but this machine",
    f'[a]\napprise = "slack://{SECRET}/?verify=No"': "must not switch off the check of certificates",
    f'[a]\napprise = "slack://{SECRET}"\nkeys = ["{KEY}"]': "a.keys: belong to a webhook",
    f'[a]\nwebhook = "ftp://b/{SECRET}"\nkeys = ["{KEY}"]': "a.webhook: must be http:// or https://",
    f'[a]\nwebhook = "https://b/{SECRET}"': "a.keys: must be 1 to 5 keys",
    f'[a]\nwebhook = "https://b/"\nkeys = ["{SECRET}"]': "a.keys: must be 1 to 5 keys",
    f'[a]\nwebhook = "https://b/"\nkeys = ["whsec_{SECRET}"]': "a.keys: must be 1 to 5 keys",
    f'[a]\napprise = "slack://{SECRET}"\nca_file = "/nowhere/{SECRET}"': "a.ca_file: cannot be read",
    f'[a]\napprise = "slack://{SECRET}"\nper_minute = 0': "a.per_minute: must be a number",
    f'[a]\napprise = "slack://{SECRET}"\nper_minute = true': "a.per_minute: must be a number",
    f'[a]\nwebhook = "https://["\nkeys = ["{KEY}"]': "a.webhook: must be http:// or https://",
    '[a]\nwebhook = "https://b/"\nkeys = ["whsec_\u00e9"]': "a.keys: must be 1 to 5 keys",
    '[a]\napprise = "slack://b"\nca_file = "~nobody-of-this-name/ca"': "a.ca_file: cannot be read",
    '[a]\napprise = "slack://b"\nca_file = "\\u0000"': "a.ca_file: cannot be read",
    f'["#a"]\napprise = "slack://{SECRET}"': "cannot be a receiver's name",
    f'[a]\napprise = "slack://{SECRET}': "not TOML",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: WRONG[text])
def test_every_mistake_is_named_without_its_value(text: str, tmp_path: Path) -> None:
    file = tmp_path / "receivers.toml"
    file.write_text(text)
    with pytest.raises(WrongSettings) as caught:
        read(file)
    assert WRONG[text] in str(caught.value)
    assert SECRET not in str(caught.value)


ANYTHING = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["https://[", "slack://[", "//", "whsec_", "~x", "\0", "http://a:b:c/", "https://\ud800"]
    ),
    st.booleans() | st.integers() | st.floats() | st.lists(st.text(max_size=9), max_size=3),
)


@given(st.dictionaries(st.sampled_from(["apprise", "webhook", "keys", "ca_file", "per_minute"]), ANYTHING))
def test_whatever_stands_in_a_receiver_it_is_one_or_is_refused_in_sentences(
    content: dict[str, object],
) -> None:
    for problem in problems_of(Path("receivers.toml"), "a", content):
        assert str(problem).startswith("receivers.toml: a")


def test_without_a_file_nobody_can_be_told_and_one_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert Receivers().known() == {}
    with pytest.raises(WrongSettings, match=r"receivers\.toml: no such file"):
        Receivers(tmp_path / "receivers.toml")


def test_a_receiver_shows_neither_address_nor_keys(tmp_path: Path) -> None:
    file = tmp_path / "receivers.toml"
    file.write_text(
        f'[a]\nwebhook = "https://user:{SECRET}@b.example/{SECRET}x?token={SECRET}y"\nkeys = ["{KEY}"]'
    )
    found = read(file)["a"]
    assert SECRET not in repr(found)
    assert KEY not in repr(found)
    told = f"cannot reach {found.url} of {SECRET}y with {KEY}, says b.example"
    assert found.censored(told) == "cannot reach … of … with …, says …"


def test_a_change_is_seen_and_those_of_a_file_that_has_gone_stay(tmp_path: Path) -> None:
    file = tmp_path / "receivers.toml"
    file.write_text(f'[a]\napprise = "slack://{SECRET}"')
    receivers = Receivers(file)
    file.write_text(f'[b]\napprise = "slack://{SECRET}"')
    assert set(receivers.known()) == {"b"}
    file.unlink()
    assert set(receivers.known()) == {"b"}


def test_a_policy_that_names_nobody_known_is_told_who_it_may_have_meant() -> None:
    policy = replace(POLICY, notify=(Notice("ml-growht", (Event.DECISION,)), Notice("zzz", (Event.PAUSED,))))
    first, second = map(str, unknown_receivers(policy, frozenset({"ml-growth"})))
    assert first.endswith(
        "nobody is called 'ml-growht' in this control plane's settings; did you mean 'ml-growth'?"
    )
    assert "ROLLOUT_RECEIVERS_FILE" in second
    assert list(unknown_receivers(policy, frozenset({"ml-growht", "zzz"}))) == []
