"""Goldens: placements beside the files they become, and a real Envoy that takes them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from rollout.domain.assignment import Placement
from rollout.envoy.bootstrap import Address, bootstrap
from rollout.envoy.document import Kind
from rollout.envoy.publication import Acknowledged
from rollout.envoy.translate import translate
from tests.envoy.examples import running
from tests.envoy.laid_out import laid_out

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir())
INPUT = "placements.json"
BOOTSTRAP = "bootstrap.json"
PLACEMENTS = TypeAdapter(tuple[Placement, ...])


def placements_of(case: str) -> tuple[Placement, ...]:
    return PLACEMENTS.validate_json((GOLDEN / case / INPUT).read_bytes())


def compare(file: Path, made: str, *, update: bool) -> None:
    if update:
        file.write_text(made, encoding="utf-8")
    assert made == file.read_text(encoding="utf-8"), "when the change is wanted: pytest --update-golden"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("case", CASES)
def test_placements_become_these_files(case: str, kind: Kind, *, update_golden: bool) -> None:
    document = translate(placements_of(case)).of_kind(kind)
    made = laid_out(json.loads(document.text)) + "\n"
    compare(GOLDEN / case / kind.file_name, made, update=update_golden)


def test_the_start_file(*, update_golden: bool) -> None:
    made = laid_out(bootstrap(Address(10_000), "admin.sock")) + "\n"
    compare(GOLDEN / BOOTSTRAP, made, update=update_golden)


def test_no_golden_is_an_orphan() -> None:
    expected = {f"{case}/{name}" for case in CASES for name in (INPUT, *(kind.file_name for kind in Kind))}
    found = {str(file.relative_to(GOLDEN)) for file in GOLDEN.rglob("*") if file.is_file()}
    assert found == expected | {BOOTSTRAP}


def test_envoy_takes_every_golden_one_after_the_other(tmp_path: Path) -> None:
    with running(tmp_path) as (proxy, _):
        for case in CASES + CASES[::-1]:
            result = proxy.publish(placements_of(case))
            assert isinstance(result, Acknowledged), (case, result)
            wanted = translate(placements_of(case))
            assert result.live.routes == wanted.routes.version
            assert result.live.clusters == wanted.clusters.version
            assert result.live.weights == wanted.weights.version
