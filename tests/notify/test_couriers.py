"""Letters on their real way: web servers and a mail server on this machine, well, ill and hostile."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollout.domain.decision import Reason
from rollout.notify.couriers import PASSED_ON, Couriers
from rollout.notify.receivers import Receivers
from rollout.ports import Notifier
from tests.command import ROOT
from tests.contracts.notifier import BURST, LETTER, SECRET, NotifierContract, Scene
from tests.envoy.certificates import Authority
from tests.notify.servers import Mail, Web, mail, web
from tests.notify.stories import letter, news
from tests.notify.test_letters import STRANGE, strange

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLD_KEY = "whsec_" + base64.b64encode(b"o" * 32).decode()


@pytest.fixture(scope="module")
def server() -> Iterator[Web]:
    with web() as opened:
        yield opened


@pytest.fixture
def http(server: Web) -> Web:
    server.answers, server.got, server.hangs = [], [], None
    server.released.clear()
    return server


@pytest.fixture
def smtp() -> Iterator[Mail]:
    with mail() as opened:
        yield opened


def couriers(folder: Path, text: str, *, within_s: float = 30.0) -> Couriers:
    """Return a notifier whose receivers a file names."""
    file = folder / "receivers.toml"
    file.write_text(text, encoding="utf-8")
    return Couriers(Receivers(file), public_url="https://rollout.example.org", within_s=within_s)


def webhook(port: int, name: str = "ci", rest: str = "") -> str:
    return (
        f'[{name}]\nwebhook = "http://127.0.0.1:{port}/{SECRET}?t=1"\nkeys = ["{KEY}", "{OLD_KEY}"]\n{rest}\n'
    )


@dataclass
class WebhookScene:
    notifier: Notifier
    good: Web

    def arrived(self) -> list[str]:
        return [got.headers["webhook-id"] for got in self.good.got]


class TestCouriersByWebhook(NotifierContract):
    @pytest.fixture
    def scene(self, tmp_path: Path, http: Web) -> Iterator[Scene]:
        with web() as bad:
            bad.answers = [(500, {})] * 5
            yield WebhookScene(
                couriers(tmp_path, webhook(http.port, "good") + webhook(bad.port, "bad")), http
            )


@dataclass
class ChatScene:
    notifier: Notifier
    good: Web

    def arrived(self) -> list[str]:
        return [got.content["text"].split()[-1] for got in self.good.got]


class TestCouriersByApprise(NotifierContract):
    @pytest.fixture
    def scene(self, tmp_path: Path, http: Web) -> Iterator[Scene]:
        with web() as bad:
            bad.answers = [(400, {})] * 5
            text = (
                f'[good]\napprise = "mmost://127.0.0.1:{http.port}/{SECRET}"\n'
                f'[bad]\napprise = "mmost://127.0.0.1:{bad.port}/{SECRET}"\n'
            )
            yield ChatScene(couriers(tmp_path, text), http)


def test_a_signature_is_what_the_page_says(tmp_path: Path, http: Web) -> None:
    assert couriers(tmp_path, webhook(http.port)).send("ci", BURST).is_taken
    (got,) = http.got
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for key in (b"k" * 32, b"o" * 32)
    ]
    assert got.headers["webhook-signature"].split() == expected
    assert [event["id"] for event in got.content["events"]] == [one.id for one in BURST.news]


def test_the_pages_own_five_lines_verify_a_letter_and_refuse_a_changed_one(tmp_path: Path, http: Web) -> None:
    couriers(tmp_path, webhook(http.port)).send("ci", LETTER)
    page = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    found: dict[str, object] = {}
    exec(compile(code, "docs/notifications.md", "exec"), found)  # noqa: S102 (the page's own lines)
    verify = found["is_genuine"]
    assert callable(verify)
    (got,) = http.got
    now_s = int(got.headers["webhook-timestamp"])
    assert verify(KEY, got.headers, got.body, now_s)
    assert verify(OLD_KEY, got.headers, got.body, now_s)
    assert not verify(KEY, got.headers, got.body + b" ", now_s)
    assert not verify("whsec_" + base64.b64encode(b"x" * 32).decode(), got.headers, got.body, now_s)
    assert not verify(KEY, got.headers, got.body, now_s + 3_600)


def test_a_redirect_is_not_followed(tmp_path: Path, http: Web) -> None:
    with web() as elsewhere:
        http.answers = [(307, {"location": f"http://127.0.0.1:{elsewhere.port}/"})]
        delivered = couriers(tmp_path, webhook(http.port)).send("ci", LETTER)
        assert delivered.why == "it answered 307 (a redirect, which is not followed)"
        assert elsewhere.got == []


@pytest.mark.parametrize(
    ("told", "waits"), [("120", 120.0), ("99999999", 3_600.0), ("soon", None), ("-3", None)]
)
def test_a_pause_that_is_asked_for_is_told(told: str, waits: float | None, tmp_path: Path, http: Web) -> None:
    http.answers = [(429, {"retry-after": told})]
    delivered = couriers(tmp_path, webhook(http.port)).send("ci", LETTER)
    assert (delivered.why, delivered.retry_after_s) == ("it answered 429", waits)


def test_a_chat_that_has_too_much_is_left_alone_for_a_minute(tmp_path: Path, http: Web) -> None:
    http.answers = [(429, {})] * 5
    delivered = couriers(tmp_path, f'[a]\napprise = "mmost://127.0.0.1:{http.port}/{SECRET}"').send(
        "a", LETTER
    )
    assert (delivered.is_taken, delivered.retry_after_s) == (False, 60.0)


@pytest.mark.parametrize("hangs", ["silent", "drip"])
@pytest.mark.parametrize("kind", ["webhook", "apprise"])
def test_a_receiver_that_hangs_is_left_at_the_deadline(
    hangs: str, kind: str, tmp_path: Path, http: Web
) -> None:
    http.hangs = hangs
    text = (
        webhook(http.port)
        if kind == "webhook"
        else f'[ci]\napprise = "mmost://127.0.0.1:{http.port}/{SECRET}"'
    )
    delivered = couriers(tmp_path, text, within_s=2.5).send("ci", LETTER)
    assert delivered.why == "no word of it within 2.5 s"


def test_nobody_there_is_said_without_the_address(tmp_path: Path) -> None:
    with web() as gone:
        port = gone.port
    delivered = couriers(tmp_path, webhook(port)).send("ci", LETTER)
    assert delivered.why is not None
    assert delivered.why.startswith("cannot be reached: ")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("scheme", ["webhook", "apprise"])
def test_only_a_certificate_that_the_settings_trust_is_taken(
    scheme: str, tmp_path: Path, authority: Authority
) -> None:
    with web(authority.certificate("IP:127.0.0.1")) as secure:
        address = {
            "webhook": f'webhook = "https://127.0.0.1:{secure.port}/"\nkeys = ["{KEY}"]\n',
            "apprise": f'apprise = "mmosts://127.0.0.1:{secure.port}/{SECRET}"\n',
        }[scheme]
        text = f"[strange]\n{address}[known]\n{address}ca_file = '{authority.file}'\n"
        notifier = couriers(tmp_path, text)
        assert not notifier.send("strange", LETTER).is_taken
        assert secure.got == []
        assert notifier.send("known", LETTER).is_taken
        assert len(secure.got) == 1


def test_a_certificate_of_another_name_is_refused(tmp_path: Path, authority: Authority) -> None:
    with web(authority.certificate("DNS:elsewhere.example")) as secure:
        text = f"""[ci]
webhook = "https://127.0.0.1:{secure.port}/"
keys = ["{KEY}"]
ca_file = '{authority.file}'
"""
        delivered = couriers(tmp_path, text).send("ci", LETTER)
        assert not delivered.is_taken
        assert secure.got == []


def test_mail_is_plain_text_in_one_line_of_subject(tmp_path: Path, smtp: Mail) -> None:
    text = f'[people]\napprise = "mailto://127.0.0.1:{smtp.port}?from=rollout@example.org&to=ml@example.org"'
    assert couriers(tmp_path, text).send("people", strange()).is_taken
    (found,) = smtp.letters
    assert found.get_content_type() == "text/plain"
    assert str(found["subject"]).startswith("churn-v2: approved (@")
    assert found.get_content().strip().endswith("a1b2c3d4.41.ml")
    assert STRANGE.split()[0] not in found.get_content()
    assert set(found.keys()) & {"Bcc", "X-Evil"} == set()


def test_mail_that_is_refused_is_said(tmp_path: Path, smtp: Mail) -> None:
    smtp.refuses = "550 no such user"
    text = f'[people]\napprise = "mailto://127.0.0.1:{smtp.port}?from=a@example.org&to=b@example.org"'
    assert not couriers(tmp_path, text).send("people", LETTER).is_taken


def test_a_courier_gets_no_secret_of_our_environment_and_shows_none() -> None:
    assert not {name for name in PASSED_ON if name.startswith("ROLLOUT") or "TOKEN" in name or name == "HOME"}
    errand = subprocess.run(
        [sys.executable, "-m", "rollout.notify.courier"],
        input=b'{"url": "' + SECRET.encode() + b'"}',
        capture_output=True,
        check=False,
    )
    assert errand.returncode != 0
    assert SECRET.encode() not in errand.stderr + errand.stdout


def test_a_name_that_is_taken_out_of_the_file_is_told_no_more(tmp_path: Path, http: Web) -> None:
    notifier = couriers(tmp_path, webhook(http.port))
    (tmp_path / "receivers.toml").write_text("")
    assert notifier.names() == frozenset()
    assert notifier.send("ci", LETTER).why == "nobody is called 'ci' in receivers_file"


def test_a_pager_and_a_chat_get_what_they_can_show(tmp_path: Path, http: Web) -> None:
    text = f'[chat]\napprise = "json://127.0.0.1:{http.port}/{SECRET}"'
    sent = letter(news(Reason.METRIC_HARMED))
    assert couriers(tmp_path, text).send("chat", sent).is_taken
    (got,) = http.got
    assert (got.content["title"], got.content["type"]) == ("churn-v2: rolled back (errors)", "failure")
    assert "between +18.0% and +46.0%" in got.content["message"]


@pytest.mark.parametrize(
    ("url", "field", "expected"),
    [
        ("opsgenie://apikey/#growth-team", "alias", "letter.1"),
        ("opsgenie://apikey/#growth-team?alias=own", "alias", "own"),
        ("opsgenie://apikey/#growth-team", "action", "new"),
        ("opsgenie://apikey/#growth-team?action=note", "action", "note"),
        ("pagerduty://integration-key@api-key/", "dedup", "letter.1"),
    ],
)
def test_a_pager_knows_a_letter_by_its_id_and_drops_no_first_news(
    url: str, field: str, expected: str
) -> None:
    ask = f"from rollout.notify.chat import open_plugin; print(open_plugin({url!r}, 'letter.1').{field})"
    found = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == expected


def test_a_courier_that_is_told_to_stop_ends_at_once(tmp_path: Path, http: Web) -> None:
    http.hangs = "drip"
    notifier = couriers(tmp_path, webhook(http.port))
    with ThreadPoolExecutor(1) as aside:
        sending = aside.submit(notifier.send, "ci", LETTER)
        deadline = time.monotonic() + 30.0
        while not http.got and time.monotonic() < deadline:
            time.sleep(0.01)
        notifier.stop()
        assert sending.result(timeout=20.0).why == "the control plane ended meanwhile"
    assert not notifier.send("ci", LETTER).is_taken
    assert len(http.got) == 1
