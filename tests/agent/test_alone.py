"""Policies and weights from files: what is good is served, and a mistake leaves what was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from rollout.agent.alone import Alone, Files
from rollout.domain.assignment import Split
from rollout.domain.buckets import Range
from rollout.errors import NotReadable, WrongPolicy
from rollout.fleet.snapshot import Snapshot
from rollout.policyfile.reading import read_file
from tests.command import ROOT

TEXT = (ROOT / "policies" / "first.yaml").read_text(encoding="utf-8")


class Taking:
    """Takes snapshots, as an applier does."""

    newest: Snapshot | None = None

    def take(self, snapshot: Snapshot) -> None:
        self.newest = snapshot


@dataclass
class Place:
    folder: Path
    taking: Taking
    alone: Alone

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def served(self) -> dict[str, tuple[int, Split]]:
        assert self.taking.newest is not None
        return {one.policy.name: (one.revision, one.split) for one in self.taking.newest.placements}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder, taking = tmp_path / "policies", Taking()
    folder.mkdir()
    (folder / "first.yaml").write_text(TEXT)
    return Place(folder, taking, opened(folder, taking))


def opened(folder: Path, taking: Taking) -> Alone:
    def watched() -> list[Path]:
        return sorted(file for file in folder.glob("*.yaml") if file.name != "weights.yaml")

    files = Files(lambda: ([read_file(file) for file in watched()], []), watched, folder / "weights.yaml")
    return Alone(files, taking, folder / "revisions.json")


def test_without_weights_nobody_gets_a_candidate(place: Place) -> None:
    place.alone.begin()
    assert place.served() == {"first": (1, Split())}


def test_what_is_written_is_served_at_the_next_look(place: Place) -> None:
    place.alone.begin()
    place.write("weights.yaml", "first: 50%")
    place.alone.look()
    assert place.served() == {"first": (1, Split(2))}
    place.write("weights.yaml", "")
    place.alone.look()
    assert place.served() == {"first": (1, Split())}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("weights.yaml", "frist: 10%", "weights.yaml:1: frist: no policy has this name"),
        ("first.yaml", TEXT.replace("setWeight: 10%", "setWeight: 120%"), "first.yaml:"),
        ("second.yaml", TEXT, "two policies with one name"),
        ("first.yaml", "", "first.yaml"),
    ],
)
def test_a_mistake_leaves_what_was_served(
    place: Place, capsys: pytest.CaptureFixture[str], name: str, text: str, said: str
) -> None:
    place.write("weights.yaml", "first: 50%")
    place.alone.begin()
    before = place.taking.newest
    place.write(name, text)
    place.alone.look()
    place.alone.look()
    assert place.taking.newest is before
    shown = capsys.readouterr().out
    assert said in shown
    assert shown.count("a mistake; what was served before stays") >= 1
    with pytest.raises(WrongPolicy):
        opened(place.folder, Taking()).begin()


def test_weights_that_disappear_are_a_mistake(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.write("weights.yaml", "first: 50%")
    place.alone.begin()
    (place.folder / "weights.yaml").unlink()
    place.alone.look()
    assert place.served() == {"first": (1, Split(2))}
    assert "the file of weights is gone" in capsys.readouterr().out


def test_weights_that_are_no_text_are_refused(place: Place) -> None:
    (place.folder / "weights.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NotReadable):
        place.alone.begin()


def test_a_changed_policy_is_a_new_revision_and_stays_one_after_a_restart(place: Place) -> None:
    place.alone.begin()
    place.write("first.yaml", TEXT.replace("setWeight: 10%", "setWeight: 20%"))
    place.alone.look()
    assert place.served()["first"][0] == 2
    again = Taking()
    opened(place.folder, again).begin()
    assert again.newest is not None
    assert again.newest.placements[0].revision == 2
    place.write("first.yaml", TEXT)
    place.alone.look()
    assert place.served()["first"][0] == 3


def test_a_layer_is_shared_out_and_stays(place: Place) -> None:
    layered = TEXT.replace(
        'unit: "header:x-user-id"', 'unit: "header:x-user-id", layer: {name: l, share: 40%}'
    )
    second = layered.replace("name: first", "name: second").replace("/predict", "/second")
    place.write("first.yaml", layered)
    place.alone.begin()
    place.write("another.yaml", second)
    place.alone.look()
    assert place.taking.newest is not None
    ranges = {one.policy.name: one.layer_range for one in place.taking.newest.placements}
    assert (ranges["first"], ranges["second"]) == (Range(0, 4000), Range(4000, 8000))
