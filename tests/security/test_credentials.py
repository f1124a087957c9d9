"""A version's credential reaches that version only: no other one, no client, no dump, no log."""

from __future__ import annotations

import stat
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rollout.domain.policy import Version
from rollout.envoy.bootstrap import Address
from rollout.envoy.process import OWN_LOG_FILE
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged
from rollout.envoy.translate import translate
from rollout.envoy.upstreams import Upstreams, credential_text
from tests.envoy.examples import free_port, placed, policy_for, until
from tests.security.exposed import UNIT, Exposed, codes, head
from tests.security.test_kept import DUMPS, admin_of, dumped
from tests.security.watched import watched

SECRET = "Bearer the-secret-of-the-candidate"  # noqa: S105 (it opens nothing)
OWN = "Bearer the-clients-own"
FORGED = "Bearer forged"


@pytest.mark.parametrize("carried", [[], [f"authorization: {OWN}"]], ids=["none", "own"])
def test_a_candidates_secret_is_its_own_also_when_it_fails(tmp_path: Path, carried: list[str]) -> None:
    secret, port = tmp_path / "secret.json", free_port()
    secret.touch(mode=0o600)
    secret.write_text(credential_text("key", SECRET))
    translating = partial(translate, upstreams=Upstreams(credential_files={"key": str(secret)}))
    with (
        watched("baseline") as baseline,
        watched("candidate", status=503) as candidate,
        Proxy(tmp_path / "envoy", Address(port), concurrency=1, translating=translating) as proxy,
    ):
        policy = policy_for(baseline.url, candidate.url)
        version = Version("2", candidate.url, credential="key")
        published = proxy.publish([placed(replace(policy, candidates=(version,)), 3)])
        assert isinstance(published, Acknowledged), published
        front = Exposed(proxy, port, {"baseline": baseline, "candidate": candidate})
        # What the proxy itself uses to remember the client's own, told by a client.
        forged = [
            f"x-rollout-{name}: {FORGED}"
            for name in ("kept-authorization", "own-authorization", "was-authorization")
        ]
        answers = [front.send(head("/churn", *carried, *forged, f"{UNIT}: user-{n}")) for n in range(40)]
        dump = "".join(dumped(admin_of(tmp_path / "envoy"), path) for path in DUMPS)
        assert until(lambda: proxy.access_log.read_bytes().count(b"\n") >= len(answers))
    assert {code for answer in answers for code in codes(answer)} == {200}, "the baseline answered"
    assert candidate.seen, "some were the candidate's"
    expected = [OWN.encode()] if carried else []
    assert all(one.values("authorization") == [SECRET.encode()] for one in candidate.seen)
    assert all(one.values("authorization") == expected for one in baseline.seen)
    for one in [*baseline.seen, *candidate.seen]:
        assert not [value for _, value in one.fields if value == FORGED.encode()]
    said = [path.read_text() for path in (proxy.access_log, tmp_path / "envoy" / OWN_LOG_FILE)]
    for place in (dump, *said, *(answer.decode() for answer in answers)):
        assert SECRET.removeprefix("Bearer ") not in place
    assert "key" in dump
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
