"""Goldens: placements beside the files they become, and a real Envoy that takes them all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from rollout.domain.assignment import (
    Leaf,
    Placement,
    Split,
    blocks,
    leaf_name,
    mirrored_bp,
    route_name,
)
from rollout.domain.layers import allot
from rollout.domain.policy import Version
from rollout.envoy.bootstrap import Address, bootstrap
from rollout.envoy.document import Kind
from rollout.envoy.endpoints import endpoint_of
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged
from rollout.envoy.translate import translate
from rollout.envoy.upstreams import Upstreams, credential_text
from rollout.envoy.weights import keys_on
from rollout.policyfile.reading import parse
from tests.command import ROOT
from tests.envoy.certificates import Authority
from tests.envoy.drawing import DRAWN, PAGE, drawing, drawn, route_names
from tests.envoy.examples import running
from tests.envoy.laid_out import laid_out

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = sorted((ROOT / "policies").glob("*.yaml"))
OF_EXAMPLES = GOLDEN / "policies"
CASES = sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir() and folder != OF_EXAMPLES)
INPUT = "placements.json"
STARTS = {"bootstrap.json": False, "bootstrap-attempts.json": True}
PLACEMENTS = TypeAdapter(tuple[Placement, ...])
NODE = Upstreams(
    {"internal": "names/ca.pem"},
    credential_files={name: f"names/{name}.json" for name in ("pricing", "ranker")},
)
"""What names mean in every golden: files in Envoy's working folder."""


def placements_of(case: str) -> tuple[Placement, ...]:
    return PLACEMENTS.validate_json((GOLDEN / case / INPUT).read_bytes())


def placed(file: Path) -> Placement:
    """Return the placement of an example policy before its first step."""
    policy = parse(file.read_text(encoding="utf-8"), file.name)
    return Placement(policy, 1, Split(), allot(policy, ()))


def states(placement: Placement) -> Iterator[tuple[str, Placement]]:
    """Return each state of a life that traffic tells from the others; a pause is none of them."""
    policy = placement.policy
    splits = {
        "before": Split(),
        **{f"mirror step {one}": Split(mirror_on=one) for one in range(1, 1 + len(policy.mirror_steps))},
        **{f"step {one}": Split(one) for one in range(1, 1 + len(policy.steps))},
    }
    if policy.steps:
        arms = range(1, policy.arms)
        splits |= {f"candidate{arm} stopped": Split(1, stopped=frozenset({arm})) for arm in arms}
        splits |= {f"candidate{arm} promoted": Split(is_promoted=True, winner=arm) for arm in arms}
        last = Split(is_promoted=True, winner=arms[-1], is_released=True)
        splits |= {f"candidate{arms[-1]} released": last, "rolled back": Split()}
    for name, split in splits.items():
        yield name, replace(placement, split=split)


def compare(file: Path, made: str, *, update: bool) -> None:
    if update:
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(made, encoding="utf-8")
    assert made == file.read_text(encoding="utf-8"), "when the change is wanted: pytest --update-golden"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("case", CASES)
def test_placements_become_these_files(case: str, kind: Kind, *, update_golden: bool) -> None:
    document = translate(placements_of(case), NODE).of_kind(kind)
    made = laid_out(json.loads(document.text)) + "\n"
    compare(GOLDEN / case / kind.file_name, made, update=update_golden)


@pytest.mark.parametrize("name", STARTS)
def test_the_start_file(name: str, *, update_golden: bool) -> None:
    made = laid_out(bootstrap(Address(10_000), "admin.sock", attempt_log=STARTS[name])) + "\n"
    compare(GOLDEN / name, made, update=update_golden)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_becomes_this_tree_these_clusters_and_these_weights(
    file: Path, *, update_golden: bool
) -> None:
    placement = placed(file)
    configuration = translate([placement], NODE)
    keys = {name: sorted(keys_on(translate([one], NODE).weights)) for name, one in states(placement)}
    folder = OF_EXAMPLES / file.stem
    tree = drawing(json.loads(configuration.routes.text), [placement])
    compare(folder / "tree.txt", tree, update=update_golden)
    clusters = laid_out(json.loads(configuration.clusters.text)) + "\n"
    compare(folder / Kind.CLUSTERS.file_name, clusters, update=update_golden)
    compare(folder / "weights.json", laid_out(keys) + "\n", update=update_golden)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_state_changes_the_weights_alone(file: Path) -> None:
    placement = placed(file)
    before = translate([placement], NODE)
    for name, one in states(placement):
        after = translate([one], NODE)
        assert (after.clusters, after.routes) == (before.clusters, before.routes), name
        is_different = name not in {"before", "rolled back"}
        assert (after.weights != before.weights) is is_different, name


def test_no_golden_is_an_orphan() -> None:
    expected = {f"{case}/{name}" for case in CASES for name in (INPUT, *(kind.file_name for kind in Kind))}
    of_example = ("tree.txt", Kind.CLUSTERS.file_name, "weights.json")
    expected |= {f"policies/{file.stem}/{name}" for file in EXAMPLES for name in of_example}
    found = {str(file.relative_to(GOLDEN)) for file in GOLDEN.rglob("*") if file.is_file()}
    assert found == expected | set(STARTS)


@pytest.mark.parametrize("case", CASES)
def test_every_place_of_the_twin_is_a_route_and_no_other(case: str) -> None:
    placements = placements_of(case)
    expected = set()
    for placement in placements:
        policy = placement.policy
        is_copied = any(
            mirrored_bp(replace(placement, split=Split(mirror_on=one + 1)))
            for one in range(len(policy.mirror_steps))
        )
        leaves = set(Leaf) - (set() if is_copied else {Leaf.MIRROR})
        expected |= {leaf_name(policy, leaf) for leaf in leaves}
        expected |= {route_name(policy, block.arm, block.number) for block in blocks(policy)}
    assert set(route_names(json.loads(translate(placements, NODE).routes.text))) == expected


def test_the_drawing_of_the_page_is_the_golden_tree() -> None:
    routes = json.loads((GOLDEN / DRAWN / Kind.ROUTES.file_name).read_text(encoding="utf-8"))
    shown = drawn(PAGE.read_text(encoding="utf-8"))
    assert shown == drawing(routes, placements_of(DRAWN)), "make docs draws it anew"
    assert all(f"→ {name}" in shown for name in route_names(routes))


def files_of_names(folder: Path) -> None:
    """Write the files that names mean in goldens."""
    authority = Authority(folder / "names")
    assert authority.file == folder / NODE.ca_files["internal"]
    for name, file in NODE.credential_files.items():
        (folder / file).write_text(credential_text(name, "Bearer secret"), encoding="utf-8")


def nearby(placement: Placement) -> Placement:
    """Return the placement with names that every machine resolves, so that no network is asked."""

    def moved(version: Version) -> Version:
        endpoint = endpoint_of(version.url)
        near = endpoint if endpoint.is_ip else replace(endpoint, host="localhost")
        return replace(version, url=f"http{'s' if near.is_tls else ''}://{near.authority}")

    policy = placement.policy
    candidates = tuple(map(moved, policy.candidates))
    return replace(placement, policy=replace(policy, baseline=moved(policy.baseline), candidates=candidates))


def versions_taken(proxy: Proxy, placements: Sequence[Placement]) -> tuple[str, str, str]:
    """Publish placements, and return the version of each file that Envoy then serves."""
    result = proxy.publish(placements)
    assert isinstance(result, Acknowledged), result
    return result.live.clusters, result.live.routes, result.live.weights


def versions_made(placements: Sequence[Placement]) -> tuple[str, str, str]:
    """Return the version of each file that these placements become."""
    made = translate(placements, NODE)
    return made.clusters.version, made.routes.version, made.weights.version


def test_envoy_takes_every_golden_one_after_the_other(tmp_path: Path) -> None:
    files_of_names(tmp_path)
    with running(tmp_path, upstreams=NODE) as (proxy, _):
        for case in CASES + CASES[::-1]:
            near = list(map(nearby, placements_of(case)))
            assert versions_taken(proxy, near) == versions_made(near), case


def test_envoy_takes_every_example_in_every_state(tmp_path: Path) -> None:
    files_of_names(tmp_path)
    lives = [list(states(placed(file))) for file in EXAMPLES]
    with running(tmp_path, upstreams=NODE, attempt_log=True) as (proxy, _):
        for moment in range(max(map(len, lives))):
            near = [nearby(life[min(moment, len(life) - 1)][1]) for life in lives]
            assert versions_taken(proxy, near) == versions_made(near), moment
