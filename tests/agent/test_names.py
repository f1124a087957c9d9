"""What the names in policies mean on a node: refused when wrong, shown to Envoy alone, and renewed."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.agent.names import LARGEST_SECRET, Named, Names
from rollout.domain.policy import Version
from rollout.envoy.publication import Acknowledged
from rollout.errors import WrongSettings
from tests.envoy.certificates import Authority
from tests.envoy.examples import placed, policy_for, running, until
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

FIRST, SECOND = "Bearer the-first-value", "Bearer the-second-value"
ASKED = Request("/churn", {"x-user-id": "somebody"})


def test_a_renewed_secret_reaches_its_version_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{FIRST}\n")
    names = Names(Named(credential_files={"model": file}), tmp_path / "envoy")
    written = tmp_path / "envoy" / "secrets" / "model.json"
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    with (
        serving("baseline") as baseline,
        serving("candidate") as candidate,
        running(tmp_path / "envoy", upstreams=names.upstreams) as (proxy, port),
    ):
        policy = policy_for(baseline.url, candidate.url)
        policy = replace(policy, candidates=(Version("2", candidate.url, credential="model"),))
        assert isinstance(proxy.publish([placed(policy, is_promoted=True)]), Acknowledged)

        def is_sent(value: str) -> bool:
            return bool(send(port, [ASKED])[0].seen["headers"].get("authorization") == value)

        assert is_sent(FIRST)
        file.write_text(SECOND)
        names.step()
        assert until(lambda: is_sent(SECOND))
        file.unlink()
        names.step()
        assert is_sent(SECOND)


def test_every_file_that_is_not_what_it_should_be_is_named_and_no_secret_is(tmp_path: Path) -> None:
    secret, large, blank = tmp_path / "secret", tmp_path / "large", tmp_path / "blank"
    secret.write_text("Bearer hidden\nsecret")
    large.write_text("s" * (LARGEST_SECRET + 1))
    blank.write_text(" \n")
    absent = tmp_path / "absent"
    credentials = {"two-lines": secret, "large": large, "blank": blank, "absent": absent, "a/b": secret}
    with pytest.raises(WrongSettings) as raised:
        Names(Named({"ca": secret, "gone": absent}, credentials), tmp_path / "envoy")
    told = [str(problem) for problem in raised.value.problems]
    places = [f"credential_files: {name}" for name in credentials] + ["ca_files: ca", "ca_files: gone"]
    assert sorted(problem.where for problem in raised.value.problems) == sorted(places)
    assert "hidden" not in "".join(told)
    assert "ssss" not in "".join(told)


def test_certificates_are_known_by_their_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    named = Named(ca_files={"internal": authority.file}, public_ca_file=authority.file)
    upstreams = Names(named, tmp_path / "envoy").upstreams
    assert upstreams.ca_files == {"internal": str(authority.file)}
    assert upstreams.public_ca_file == str(authority.file)
