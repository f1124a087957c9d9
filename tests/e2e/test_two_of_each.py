"""Two control planes on PostgreSQL, two proxies: the leader is killed, and nothing is lost or doubled."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from rollout.errors import RolloutError
from tests.e2e.controls import Control, control, plane
from tests.e2e.crowd import Crowd
from tests.e2e.lives import await_true
from tests.e2e.memory import Memory
from tests.e2e.models import free_port, model
from tests.e2e.test_killed import (
    BROKEN,
    CROWDS,
    ENDINGS,
    POLICY,
    check_decisions,
    check_outcomes,
    check_requests,
    is_filed_of,
)
from tests.e2e.test_proxy import Proxy, proxy, until

WITHIN_S = 240.0
LEADS_WITHIN_S = 30.0
"""Three times what is promised: this machine may be busy."""
PATIENCE = ("--grace", "1", "--stale", "15")


def phases(*controls: Control) -> dict[str, str]:
    """Return where the runs stand; nothing while nobody leads."""
    try:
        with plane(*controls) as asked:
            return {run.name: run.phase for run in asked.experiments()}
    except RolloutError:
        return {}


def joined(held: ExitStack, folder: Path, name: str, *controls: Control) -> Proxy:
    """Open a proxy that follows whichever of these leads."""
    (folder / name).mkdir()
    urls = [word for one in controls for word in ("--control-url", one.url)]
    token_file = controls[0].folder / "token"
    return held.enter_context(proxy(folder / name, *urls, "--token-file", str(token_file), "--node", name))


def together(memories: list[Memory]) -> Memory:
    """Return what users of several proxies remember; no user calls two of them."""
    whole = Memory()
    for one in memories:
        whole.asked += one.asked
        whole.posted |= one.posted
    return whole


@pytest.mark.slow
def test_the_leader_is_killed_and_every_decision_action_request_and_outcome_counts_once(
    tmp_path: Path, database: str
) -> None:
    effects, shared = tmp_path / "effects", tmp_path / "d"
    with ExitStack() as held:
        first, second = (
            held.enter_context(control(tmp_path, database, free_port(), *PATIENCE)) for _ in range(2)
        )
        assert (first.said, second.said) == ("it leads\n", "another one leads: this one stands by\n")
        assert second.ready() == (503, first.url)
        proxies = [joined(held, tmp_path, name, first, second) for name in ("one", "two")]
        with plane(second, first) as asked:  # whoever is named first: the leader is found
            for name, manner in CROWDS.items():
                text = POLICY.format(
                    name=name,
                    metric=manner.metric,
                    baseline=held.enter_context(model("1")),
                    candidate=held.enter_context(model("2", fails=BROKEN[name])),
                    effects=effects,
                )
                asked.start(text.encode(), file=f"{name}.yaml")
        assert until(lambda: all(one.get("ada").status_code for one in proxies))
        memories = {name: list[Memory]() for name in CROWDS}
        with ExitStack() as crowds:
            for name, manner in CROWDS.items():
                for number, one in enumerate(proxies):
                    door = f"http://127.0.0.1:{one.agent_port}"
                    crowd = Crowd(manner, one.port, door, first.token, seed=f"{name}-{number}")
                    memories[name].append(crowds.enter_context(crowd).memory)
            await_true("a decision was made", lambda: _entries(first, second) > 1, within_s=WITHIN_S)
            first.process.send_signal(signal.SIGKILL)
            killed_s = time.monotonic()
            await_true("the standby leads", second.leads, within_s=LEADS_WITHIN_S)
            print(f"the standby led after {time.monotonic() - killed_s:.1f} s")  # noqa: T201 (measured)
            ended = {name: phase for name, (phase, _, _) in ENDINGS.items()}
            await_true(
                "both runs end as they should", lambda: phases(first, second) == ended, within_s=WITHIN_S
            )
        whole = {name: together(of) for name, of in memories.items()}
        logs = [one.folder / "d" / "envoy" / "access.log" for one in proxies]
        await_true(
            "everything acknowledged is in the lake", lambda: is_filed_of(shared, logs, whole), within_s=60
        )
        with plane(second) as asked:
            nodes = asked.nodes()
        assert {node.name: node.is_live for node in nodes.nodes} == {"one": True, "two": True}
        check_decisions(database)
        assert second.end() == 0
    performed = sorted(f"{action} {name}" for name, (_, _, action) in ENDINGS.items())
    assert sorted(effects.read_text().splitlines()) == performed
    for name, memory in whole.items():
        assert memory.failures == []
        assert len(memory.arms) > 500
        check_requests(shared, name, memory)
        check_outcomes(shared, name, memory)


def _entries(*controls: Control) -> int:
    with plane(*controls) as asked:
        return sum(len(asked.history(name)) for name in CROWDS)
