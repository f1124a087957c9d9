"""`rollout assign`: one unit's way in words, many units as shares, the same answers as the twin."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xxhash

from rollout.cli.shares import entry, row, shares
from rollout.domain.account import ASSUMED, BUCKETS, account
from rollout.domain.assignment import Placement, Split, assign
from rollout.domain.buckets import Range
from rollout.domain.passage import passage
from rollout.domain.policy import Condition, Hold, Layer, MirrorStep, Policy, Version
from rollout.domain.policy import Test as Asks
from rollout.policyfile.reading import read
from tests.command import run
from tests.domain.examples import POLICY
from tests.policyfile.files import FULL, GOOD, changed

WIDE = replace(
    POLICY,
    layer=Layer("retention", 4_000),
    holdout_bp=200,
    match=(Condition("x-tier", Asks.IN, ("free", "pro")), Condition("x-bot", Asks.ABSENT)),
    mirror_steps=(MirrorStep(1_000, Hold()),),
)
PRO = {"x-tier": "pro"}
CROWD = [f"user-{number}" for number in range(2_000)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a policy and units."""
    (tmp_path / "churn.yaml").write_text(GOOD)
    (tmp_path / "users.txt").write_text("\n".join(["ada", "bob", "", "ada", *CROWD]) + "\n")
    return tmp_path


def told(split: Split, unit: str, headers: dict[str, str], policy: Policy = WIDE) -> str:
    placement = Placement(policy, 1, split, Range(1_000, 5_000))
    return "\n".join(account(placement, passage(placement, unit, headers), path="/churn", host=None))


def unit_of(leaf: str, split: Split, headers: dict[str, str], policy: Policy = WIDE) -> str:
    """Return the first unit that ends at a leaf or in an arm."""
    placement = Placement(policy, 1, split, Range(1_000, 5_000))
    return next(unit for unit in CROWD if assign(placement, unit, headers).split("/")[1] == leaf)


def test_one_unit(home: Path) -> None:
    result = run("assign", "churn.yaml", "--unit", "ada", home=home)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "churn-v2, at step 3 of 3: 50% for each candidate, as much for the control\n"
        "\n"
        "  route    /churn is this policy's: /churn and below\n"
        "  unit     yes: x-user-id is 'ada'\n"
        "  arm      candidate1: its arm bucket is 8,138, and candidate1 owns buckets 5,000 to 9,999\n"
        "  step     joined with step 3, at 50%, which adds buckets 6,000 to 9,999 to candidate1\n"
        "  answer   candidate1 answers, version 2.0.0; when it fails, the baseline answers\n"
        "           the proxy logs it as churn-v2/candidate1/3\n"
        "\n"
        f"{BUCKETS[0]}\n{BUCKETS[1]}\n"
        "Seeds: arm 'arm:churn-2026q4'.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--step", "1"), ["step 1 of 3: 1%", "will join with step 3", "in no arm at this step"]),
        (("--step", "0"), ["before the first of 3 steps"]),
        (("--promoted",), ["after the promotion of candidate1", "promoted yes:", "churn-v2/promoted"]),
        (("--path", "/churn/x?y=1"), ["/churn/x?y=1 is this policy's: /churn and below"]),
        (("--path", "/rank"), ["/rank is not this policy's, which has /churn and what is below it"]),
    ],
)
def test_another_request_or_moment(arguments: Sequence[str], says: Sequence[str], home: Path) -> None:
    result = run("assign", "churn.yaml", "--unit", "ada", *arguments, home=home)
    assert result.returncode == 0
    for words in says:
        assert words in result.stdout


def test_many_units(home: Path) -> None:
    result = run("assign", "churn.yaml", "--units", "users.txt", "--step", "2", home=home)
    lines = result.stdout.splitlines()
    assert result.returncode == 0
    assert lines[2].split() == ["UNIT", "BUCKET", "JOINS", "AT", "STEP", "ARM", "ANSWERED", "BY", "ROUTE"]
    assert lines[3].split() == ["ada", "8138", "3", "rest", "version", "1.4.2", "churn-v2/rest"]
    assert "and 1,002 more: --output json has them all" in lines
    assert [line.split()[0] for line in lines[-3:]] == ["candidate1", "control", "rest"]
    assert sum(int(line.split()[1]) for line in lines[-3:]) == 2_002


def test_json_has_every_unit_and_the_twins_answers(home: Path) -> None:
    result = run("assign", "churn.yaml", "--units", "users.txt", "--unit", "eve", "-o", "json", home=home)
    found = json.loads(result.stdout)
    assert (found["policy"], found["step"], found["promoted"]) == ("churn-v2", 3, None)
    placement = Placement(POLICY, 1, Split(3))
    assert {one["unit"]: one["route"] for one in found["units"]} == {
        unit: assign(placement, unit) for unit in ("eve", "ada", "bob", *CROWD)
    }
    assert sum(one["units"] for one in found["shares"]) == len(found["units"]) == 2_003
    assert {one["arm"]: round(one["share"], 1) for one in found["shares"]} == {
        "candidate1": 0.5,
        "control": 0.5,
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "no unit is named; name one with --unit"),
        (("--unit", "a", "--step", "4"), "--step must be at most 3, the last step of the policy (got 4)"),
        (("--unit", "a", "--step", "1", "--promoted"), "--step and --promoted exclude each other"),
        (
            ("--unit", "a", "--promoted", "--winner", "2"),
            "--winner must be at most 1, the number of candidates",
        ),
        (("--unit", "a", "--winner", "1"), "--winner says who was promoted, and --promoted is not there"),
        (("--unit", "a", "--header", "x-tier"), "--header must be NAME=VALUE (got 'x-tier')"),
        (("--unit", "a", "--header", "x-tier: pro"), "--header must be NAME=VALUE (got 'x-tier: pro')"),
        (("--unit", "a", "--header", "=pro"), "--header must be NAME=VALUE (got '=pro')"),
        (("--unit", "a", "--header", "x tier=pro"), "--header must be NAME=VALUE (got 'x tier=pro')"),
        (("--unit", "a", "--header", "x-tier=a\nb"), "--header must be NAME=VALUE (got 'x-tier=a\\nb')"),
        (("--unit", "a", "--header", "X-User-Id=b"), "x-user-id is the header that names the unit"),
        (("--unit", "a\nb"), "'a\\nb' cannot arrive as a header; leave out line breaks"),
        (("--unit", "a", "--layer-from", "nan"), "--layer-from must be a percentage (got nan)"),
        (
            ("--unit", "a", "--layer-from", "101"),
            "invalid value for '--layer-from': 101.0 is not in the range",
        ),
    ],
)
def test_wrong_usage(arguments: Sequence[str], complaint: str, home: Path) -> None:
    result = run("assign", "churn.yaml", *arguments, home=home)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"rollout assign: {complaint}")


def test_what_cannot_be_read(home: Path) -> None:
    (home / "wrong.yaml").write_text(GOOD.replace("minEffect", "minEfect"))
    (home / "latin.txt").write_bytes(b"\xff\n")
    for arguments, complaint in (
        (("nowhere.yaml", "--unit", "a"), "nowhere.yaml: no such file or directory; name a policy file"),
        (("wrong.yaml", "--unit", "a"), "wrong.yaml:17: spec.metrics[0].minEfect: unknown key; did you mean"),
        (("churn.yaml", "--units", "no.txt"), "no.txt: no such file or directory; name a file with one unit"),
        (("churn.yaml", "--units", "latin.txt"), "latin.txt: not UTF-8 text; save it as UTF-8"),
        (("-", "--units", "-"), "rollout assign: policy and units cannot both be standard input"),
    ):
        result = run("assign", *arguments, home=home)
        assert result.returncode == 2
        assert result.stderr.startswith(complaint)


def test_a_layer_s_range_is_assumed_and_said_to_be(home: Path) -> None:
    (home / "full.yaml").write_text(FULL)
    policy = read(FULL, "full.yaml").policy
    assert policy is not None
    assert policy.layer is not None
    arguments = ("assign", "full.yaml", "--header", "x-tier=pro", "--layer-from", "10")
    one = run(*arguments, "--unit", "ada", home=home)
    assert f"buckets 1,000 to {999 + policy.layer.share_bp:,}" in one.stdout
    assert ASSUMED in one.stdout
    two = run(*arguments, "--unit", "ada", "--unit", "bob", home=home)
    assert two.stdout.splitlines()[1] == (
        f"its layer's buckets 1,000 to {999 + policy.layer.share_bp:,}: {ASSUMED}"
    )
    found = json.loads(run(*arguments, "--unit", "ada", "-o", "json", home=home).stdout)
    assert found["assumed_layer_range"] == {"from": 1_000, "below": 1_000 + policy.layer.share_bp}
    beyond = run(*arguments, "--layer-from", "90", "--unit", "ada", home=home)
    assert (beyond.returncode, beyond.stdout) == (2, "")
    assert beyond.stderr.startswith("rollout assign: --layer-from leaves no room for ")


def test_headers_may_be_many_and_a_doubled_one_is_joined(home: Path) -> None:
    match = "match: [{header: x-tier, in: [free, pro]}, {header: x-bot, absent: true}]"
    (home / "some.yaml").write_text(changed("salt: churn-2026q4", f"salt: churn-2026q4, {match}"))
    asked = ("assign", "some.yaml", "--unit", "ada", "--header", "X-Tier = pro")
    assert "candidate1 answers" in run(*asked, home=home).stdout
    assert "no: x-bot is '1', and must not be there" in run(*asked, "--header", "x-bot=1", home=home).stdout
    doubled = run(*asked, "--header", "x-tier=pro", home=home).stdout
    assert "no: x-tier is 'pro,pro', and must be free or pro" in doubled
    empty = run("assign", "some.yaml", "--unit", "ada", "--header", "x-tier=", home=home).stdout
    assert "no: x-tier is '', and must be free or pro" in empty


def bucket_by_hand(salt: str, unit: str) -> int:
    seed = int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "big")
    return xxhash.xxh64(unit.encode(), seed=seed).intdigest() % 10_000


def route_by_hand(told: Mapping[str, Any], policy: Policy, owned: Range, steps_on: int) -> str:
    """Return where a request ends, from nothing but the numbers that are told."""
    is_out = (
        not all(answer["holds"] for answer in told["conditions"])
        or told["holdout_bucket"] < policy.holdout_bp
        or not owned.lo <= told["layer_bucket"] < owned.hi
    )
    if is_out:
        return f"{policy.name}/outside"
    arm, offset = divmod(told["arm_bucket"], 10_000 // policy.arms)
    weights = [step.weight_bp for step in policy.steps]
    number = next((n for n, weight in enumerate(weights, start=1) if offset < weight), None)
    if number is None or number > steps_on or arm >= policy.arms:
        return f"{policy.name}/rest"
    return f"{policy.name}/{'control' if arm == 0 else f'candidate{arm}'}/{number}"


@pytest.mark.parametrize("steps_on", range(4))
def test_what_is_told_of_each_hash_leads_to_the_twin_s_answer(steps_on: int) -> None:
    owned = Range(1_000, 5_000)
    for policy in (WIDE, replace(WIDE, candidates=WIDE.candidates * 3, holdout_bp=3_000)):
        placement = Placement(policy, 1, Split(steps_on), owned)
        for number, unit in enumerate(CROWD[:600]):
            headers = {"x-tier": ("pro", "gold")[number % 5 == 0]}
            told = entry(placement, passage(placement, unit, headers))
            assert told["holdout_bucket"] == bucket_by_hand("holdout", unit)
            assert told["layer_bucket"] == bucket_by_hand("layer:retention", unit)
            assert told["arm_bucket"] == bucket_by_hand(f"arm:{policy.salt}", unit)
            assert told["route"] == assign(placement, unit, headers)
            assert told["route"] == route_by_hand(told, policy, owned, steps_on)


def test_everybody_on_the_way() -> None:
    unit = unit_of("candidate1", Split(3), PRO)
    text = told(Split(3), unit, PRO)
    assert "at step 4 of 4: 50% for each candidate" in text
    assert "match    yes: x-tier is 'pro', and must be free or pro" in text
    assert "yes: x-bot is not there, and must not be there" in text
    assert "holdout  not held out: its holdout bucket is " in text
    assert "buckets 0 to 199 (2%) are held out of every try" in text
    assert "layer    in: its bucket in layer 'retention' is " in text
    assert "this policy has buckets 1,000 to 4,999 (40%)" in text
    assert "candidate1 answers, version 2.0.0" in text
    assert "Seeds: holdout 'holdout', layer 'layer:retention', arm 'arm:churn-2026q4'." in text


def test_what_keeps_a_unit_out() -> None:
    unit = unit_of("candidate1", Split(3), PRO)
    other = told(Split(3), unit, {"x-tier": "gold", "x-bot": "1"})
    assert "match    no: x-tier is 'gold', and must be free or pro" in other
    assert "no: x-bot is '1', and must not be there" in other
    assert "arm      would be candidate1: " in other
    assert "step     would join with step " in other
    assert "the baseline answers, version 1.4.2: takes no part, and is never compared" in other
    outsiders = {told(Split(3), unit, PRO) for unit in CROWD if "outside" in told(Split(3), unit, PRO)}
    assert any("held out: its holdout bucket" in text and "not held out" not in text for text in outsiders)
    assert any("layer    out, in another policy's share or in nobody's: " in text for text in outsiders)


def test_copies_stopped_arms_and_hold_back() -> None:
    copied = told(Split(mirror_on=1), unit_of("mirror", Split(mirror_on=1), PRO), PRO)
    assert "at step 1 of 4: 10% of the requests are copied" in copied
    assert "candidates get copies of some requests" in copied
    stopped = Split(3, stopped=frozenset({1}))
    assert "its arm was stopped" in told(stopped, unit_of("stopped", stopped, PRO), PRO)
    promoted = Split(is_promoted=True)
    held = told(promoted, unit_of("holdback", promoted, PRO), PRO)
    assert "promoted not yet: its arm bucket is " in held
    assert "a promotion reaches beyond this share: it was only for trying" in held


def test_left_over_buckets_and_steps_that_never_reach() -> None:
    three = replace(POLICY, candidates=(Version("2", "http://a:1"), Version("3", "http://b:1")))
    short = replace(three, steps=(replace(POLICY.steps[0], weight_bp=100),))
    texts = [told(Split(1), f"u{number}", {}, short) for number in range(200)]
    assert any("arm      none, on the side of candidate2: " in text for text in texts)
    assert any("joins at none: 1%, the last weight, does not reach so far" in text for text in texts)


def test_rows_and_entries_count_steps_as_the_file_does() -> None:
    placement = Placement(WIDE, 1, Split(3), Range(0, 4_000))
    found = [passage(placement, unit, PRO) for unit in CROWD]
    joined = next(one for one in found if one.joins_at == 3)
    assert row(placement, joined)["joins at step"] == "4"
    assert entry(placement, joined)["joins_at_step"] == 4
    assert entry(placement, joined)["conditions"] == [
        {"header": "x-tier", "test": "in", "value": "pro", "holds": True},
        {"header": "x-bot", "test": "absent", "value": None, "holds": True},
    ]
    assert sum(one.share for one in shares(placement, found)) == pytest.approx(1.0)
