"""Publication: the order of the files, and a refusal that keeps what is good."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.domain.assignment import CONTROL, Placement, Split
from rollout.domain.policy import Policy, Resilience, Version
from rollout.envoy.document import Document, Kind
from rollout.envoy.publication import LONGEST_REASON, Acknowledged, Live, Refused, Unserved, plan, reason_in
from rollout.envoy.sifting import Fault, sift
from rollout.envoy.translate import translate
from rollout.envoy.weights import keys_on, splits, weights
from tests.domain.examples import POLICY
from tests.envoy.examples import placed, policy_for, running, until
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

OTHER = replace(POLICY, name="rank-v3", path="/rank")
NOBODY = translate(())


def kinds(documents: tuple[Document, ...]) -> list[Kind]:
    return [document.kind for document in documents]


def test_a_start_is_clusters_routes_weights() -> None:
    assert kinds(plan(NOBODY, translate([placed(POLICY, 1)]))) == [Kind.CLUSTERS, Kind.ROUTES, Kind.WEIGHTS]


def test_a_removal_is_the_reverse() -> None:
    assert kinds(plan(translate([placed(POLICY, 1)]), NOBODY)) == [Kind.WEIGHTS, Kind.ROUTES, Kind.CLUSTERS]


def test_nothing_new_is_nothing_written() -> None:
    both = translate([placed(POLICY, 1), placed(OTHER)])
    assert plan(both, both) == ()


def test_a_rollback_never_waits_for_a_start() -> None:
    before = translate([placed(POLICY, 3)])
    wanted = translate([placed(POLICY), placed(OTHER, 1)])
    documents = plan(before, wanted)
    assert kinds(documents) == [Kind.WEIGHTS, Kind.CLUSTERS, Kind.ROUTES, Kind.WEIGHTS]
    assert not keys_on(documents[0])


def test_a_cluster_goes_only_after_its_routes() -> None:
    before, wanted = translate([placed(POLICY)]), translate([placed(POLICY, revision=2)])
    both, routes, after = plan(before, wanted)
    assert (both.kind, routes.kind, after.kind) == (Kind.CLUSTERS, Kind.ROUTES, Kind.CLUSTERS)
    assert len(both.resources) == 4
    assert after == wanted.clusters


@pytest.mark.parametrize(
    "split",
    [
        *(Split(), Split(1), Split(3), Split(3, is_promoted=True), Split(0, is_promoted=True)),
        Split(0, is_promoted=True, is_released=True),
    ],
)
def test_weights_say_the_split(split: Split) -> None:
    dotted = replace(POLICY, name="rank.v3.1")
    found = splits(weights([Placement(dotted, 12, split), placed(POLICY, 2)]))
    assert found.get(("rank.v3.1", 12), Split()) == split
    assert found["churn-v2", 1] == Split(2)


def test_a_refused_configuration_keeps_the_last_good_one(tmp_path: Path) -> None:
    with serving(CONTROL) as baseline, running(tmp_path) as (proxy, port):
        good = policy_for(baseline.url, baseline.url)
        proxy.publish([placed(good, 1)])
        files = {kind: (tmp_path / kind.file_name).read_bytes() for kind in Kind}
        live = proxy.live
        # Longer than Envoy can count.
        bad = replace(OTHER, baseline=good.baseline, resilience=Resilience(timeout_s=1e15))
        for _ in range(2):
            refused = proxy.publish([placed(good, 1), placed(bad, 1)])
            assert isinstance(refused, Refused)
            assert refused.reason.startswith("rds.json: ")
            assert "duration" in refused.reason.casefold()
            assert (refused.live.routes, refused.live.weights) == (live.routes, live.weights)
            assert files[Kind.ROUTES] == (tmp_path / Kind.ROUTES.file_name).read_bytes()
            assert send(port, [Request("/churn", {"x-user-id": "somebody"})])[0].code == 200
        accepted = proxy.publish([placed(good, 2)])
        assert isinstance(accepted, Acknowledged)
        assert accepted.live.clusters == live.clusters
        assert accepted.live.splits == {(good.name, 1): Split(2)}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"baseline": Version("1", "https://models.example")}, "no certificates of public authorities"),
        ({"baseline": Version("1", "models.example:80")}, "not of the form http://host:port"),
        ({"baseline": Version("1", "http://models.example/v1")}, "more than a host and a port"),
        ({"baseline": Version("1", "http://models.example:99999")}, "Port out of range"),
        ({"unit_header": "x-rollout-unit"}, "cannot arrive"),
        ({"unit_header": "user_id"}, "cannot arrive"),
        ({"path": "churn"}, "never what a request asks for"),
        ({"path": "/churn//x"}, "never what a request asks for"),
        ({"path": "/churn/../x"}, "never what a request asks for"),
        ({"name": "churn/v2"}, "not made of letters"),
        ({"resilience": Resilience(timeout_s=0.5, per_try_timeout_s=0.3)}, "leaves the baseline no time"),
        ({"candidates": ()}, "has no candidate"),
    ],
)
def test_what_the_proxy_cannot_do_is_refused_before_anything_is_written(
    change: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    heard: list[Live] = []
    policy: Policy = replace(POLICY, **change)  # type: ignore[arg-type]
    with running(tmp_path, heard.append) as (proxy, _):
        result = proxy.publish([placed(policy, 1)])
    assert isinstance(result, Refused)
    assert complaint in result.reason
    assert not heard


def test_two_owners_of_a_path_are_refused(tmp_path: Path) -> None:
    with running(tmp_path) as (proxy, _):
        result = proxy.publish([placed(POLICY), placed(replace(OTHER, path="/churn/"))])
    assert isinstance(result, Refused)
    assert "/churn: 2 experiments have this path" in result.reason


def test_what_envoy_refuses_leaves_the_others_their_change(tmp_path: Path) -> None:
    with serving(CONTROL) as baseline, running(tmp_path) as (proxy, port):
        good = policy_for(baseline.url, baseline.url)
        proxy.publish([placed(good, 1)])
        new = [replace(good, name=f"new-{n}", path=f"/new/{n}", salt=f"s{n}") for n in range(6)]
        bad = replace(new[4], resilience=Resilience(timeout_s=1e15))
        worse = replace(new[1], path="no path")
        wanted = [placed(good, 2), *(placed(one, 1) for one in (new[0], worse, new[2], new[3], bad, new[5]))]
        refused = proxy.publish(wanted)
        assert isinstance(refused, Refused)
        assert [one.experiment for one in refused.unserved] == ["new-1", "new-4"]
        assert "duration" in refused.unserved[1].reason.casefold()
        served = {one.policy.name for one in proxy.served(wanted)}
        assert served == {good.name, "new-0", "new-2", "new-3", "new-5"}
        codes = [found.code for found in send(port, [Request(f"/new/{n}", {}) for n in (0, 1, 2, 3, 4, 5)])]
        assert codes == [200, 404, 200, 200, 404, 200]
        again = proxy.publish(wanted)
        assert isinstance(again, Refused)
        assert again.unserved == refused.unserved
        assert isinstance(
            proxy.publish([one for one in wanted if one.policy not in (bad, worse)]), Acknowledged
        )


def test_a_refused_revision_leaves_the_route_to_the_old_baseline(tmp_path: Path) -> None:
    with serving(CONTROL) as baseline, serving("candidate") as other, running(tmp_path) as (proxy, port):
        good = policy_for(baseline.url, other.url)
        proxy.publish([placed(good, 3)])
        bad = placed(replace(good, resilience=Resilience(timeout_s=1e15)), 3, revision=2)
        refused = proxy.publish([bad])
        assert isinstance(refused, Refused)
        assert refused.unserved[0].experiment == good.name
        assert proxy.served([bad]) == ()
        found = send(port, [Request(good.path, {good.unit_header: f"u{n}"}) for n in range(40)])
        assert {(one.code, json.loads(one.body)["name"]) for one in found} == {(200, CONTROL)}
        unread = proxy.publish([], kept=[good.name])
        assert isinstance(unread, Acknowledged)
        assert send(port, [Request(good.path, {})])[0].code == 200


def test_weights_go_off_while_envoy_is_busy_with_routes(tmp_path: Path) -> None:
    heard: list[Live] = []
    with running(tmp_path, heard.append) as (proxy, _):
        proxy.publish([placed(POLICY, 3)])
        many = [replace(POLICY, name=f"p{n}", path=f"/p/{n}", salt=f"p{n}") for n in range(100)]
        asked = [placed(POLICY, 3), *(placed(one, 1) for one in many)]
        wanted = [[placed(POLICY), *asked[1:]], asked]
        heard.clear()
        first = proxy.live.routes

        def newest() -> list[Placement]:
            return wanted[0] if len(heard) else asked

        assert isinstance(proxy.publish(asked, newest=newest), Acknowledged)
        off = next(live for live in heard if (POLICY.name, 1) not in live.splits)
        assert off.routes == first
        assert all((POLICY.name, 1) not in live.splits for live in heard[heard.index(off) :])
        assert proxy.served(wanted[0]) == tuple(wanted[0])
        assert asked[0] not in proxy.served(asked)


def test_sifting_finds_everyone_to_blame_and_nobody_else() -> None:
    placements = [placed(replace(POLICY, name=f"p{n}")) for n in range(100)]
    wrong = {"p3", "p4", "p77", "p99"}

    def attempt(chosen: Sequence[Placement]) -> Fault | None:
        return Fault("no") if wrong & {one.policy.name for one in chosen} else None

    passed, unserved = sift(placements[:2], placements[2:], attempt)
    assert {one.experiment for one in unserved} == wrong
    assert len(passed) == 96
    passed, unserved = sift(placements[:2], placements[2:], lambda _: Fault("late", is_content=False))
    assert (passed, unserved) == (placements[:2], (Unserved(None, "late"),))


def test_every_acknowledged_file_is_heard_of(tmp_path: Path) -> None:
    heard: list[Live] = []
    with running(tmp_path, heard.append) as (proxy, _):
        proxy.publish([placed(POLICY, 2)])
        proxy.publish([placed(OTHER, 1)])
        assert heard[-1] == proxy.live
    assert [dict(live.splits) for live in heard] == [
        *({}, {}, {("churn-v2", 1): Split(2)}),  # clusters, routes, weights
        *(
            {},
            {},
            {},
            {("rank-v3", 1): Split(1)},
            {("rank-v3", 1): Split(1)},
        ),  # off first, the old clusters last
    ]


def test_a_file_that_somebody_changed_is_mended(tmp_path: Path) -> None:
    with running(tmp_path) as (proxy, _):
        wanted = [placed(POLICY, 1)]
        proxy.publish(wanted)
        file = tmp_path / Kind.WEIGHTS.file_name
        good = file.read_text()
        other = tmp_path / "other"
        other.write_text(weights([placed(POLICY, 3)]).text)
        other.replace(file)
        assert file.read_text() != good

        def is_mended() -> bool:
            assert isinstance(proxy.publish(wanted), Acknowledged)
            return file.read_text() == good

        assert until(is_mended)


def test_a_reason_is_the_last_one_on_one_line() -> None:
    log = "[t] Filesystem config update rejected: one\n[t] other\n[t] config update failure: two  words\n"
    assert reason_in(log) == "two words"
    assert reason_in("nothing of the kind") is None
    whole = 'config update rejected: out of range): {"version_info":"7","resources":["a token"]}'
    assert reason_in(whole) == "out of range)"
    assert len(reason_in("config update rejected: " + "x" * 10_000) or "") == LONGEST_REASON
