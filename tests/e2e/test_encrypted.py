"""`rollout up` over TLS: verbs, a second node and an application reach it, each by its authority only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollout.client import OutcomeRecorder
from tests.command import run
from tests.e2e.models import free_port, model
from tests.e2e.test_proxy import endless_policy, proxy, until
from tests.e2e.test_up import house
from tests.envoy.certificates import Authority

USERS = 40


@pytest.mark.slow
def test_verbs_nodes_and_applications_reach_a_house_over_tls_by_its_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    own = authority.certificate("IP:127.0.0.1")
    up, joined = tmp_path / "up", tmp_path / "joined"
    for folder in (up, joined):
        folder.mkdir()
    served = {
        "ROLLOUT_TLS_CERTIFICATE_FILE": str(own.with_suffix(".crt")),
        "ROLLOUT_TLS_KEY_FILE": str(own.with_suffix(".key")),
    }
    control_port, file, token_file = free_port(), tmp_path / "first.yaml", up / "d" / "token"
    url = f"https://127.0.0.1:{control_port}"
    reached = {"ROLLOUT_CONTROL_URL": url, "ROLLOUT_TOKEN_FILE": str(token_file)}
    believed = {"ROLLOUT_CONTROL_CA_FILE": str(authority.file)}
    node = ["--control", url, "--token-file", str(token_file), "--node", "second"]
    with (
        model("1") as baseline,
        model("2") as candidate,
        house(up, free_port(), control_port, served),
        proxy(joined, *node, variables=believed) as second,
    ):
        file.write_text(endless_policy(baseline, candidate))
        refused = run("start", str(file), home=tmp_path, **reached)
        assert (refused.returncode != 0, "no secure connection" in refused.stderr) == (True, True)
        started = run("start", str(file), home=tmp_path, **reached, **believed)
        assert started.returncode == 0, started.stderr
        assert until(lambda: second.get("ada").text in {"1", "2"})
        for user in range(USERS):
            assert second.get(f"user {user}").status_code == 200
        with OutcomeRecorder(url, token=token_file.read_text().strip(), ca_file=authority.file) as app:
            assert app.record_outcome("user 1", "converted", 1)
            assert app.flush(timeout_s=30.0)
            assert (app.delivered, app.refused, app.dropped) == (1, 0, 0)

        def seen() -> str:
            shown = run("evidence", "show", "first", home=tmp_path, **reached, **believed)
            assert shown.returncode == 0, shown.stderr
            return shown.stdout

        filed = re.compile(r"^second +exposures +[0-9]", re.MULTILINE)
        assert until(lambda: filed.search(seen()) is not None), seen()
