"""Whatever is written: a policy or clear sentences, never a crash."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.policy import WHOLE_BP
from rollout.policyfile.digest import digest, revision_digest
from rollout.policyfile.finding import Severity, worded
from rollout.policyfile.reading import parse, read
from tests.command import ROOT
from tests.policyfile.files import GOOD

EXAMPLES = (GOOD, *(file.read_text(encoding="utf-8") for file in sorted((ROOT / "policies").glob("*.yaml"))))
LUMPS = (
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "? ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "|",
        ">",
        '"',
        "'",
        "#",
        "%",
        "\t",
        "\n",
    ),
    *("null", "~", "on", "0x1", "1e999", "-1%", "1e3", "99999999999999999999", ".inf", ".nan", "0s", "400d"),
    *(
        "binary",
        "latency",
        "error-rate",
        "verdict",
        "mean: ",
        "name: ",
        "type: ",
        "\x00",
        "\x85",
        "\u2028",
        "é",
        "\U0001f600",
    ),
)


def mutated(text: str, seed: int, changes: int) -> str:
    """Return the text after some lines were moved, doubled or lost and some lumps put into it."""
    chance = random.Random(seed)  # noqa: S311 (it mutates, it keeps no secret)
    for _ in range(changes):
        lines = text.split("\n")
        here, there = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                del lines[here]
            case 1:
                lines.insert(there, lines[here])
            case 2:
                lines[here] = "  " * chance.randrange(4) + lines[here].strip()
            case 3:
                words = lines[here].split(" ")
                words[chance.randrange(len(words))] = chance.choice(LUMPS)
                lines[here] = " ".join(words)
            case _:
                cut = chance.randrange(len(lines[here]) + 1)
                lines[here] = (
                    lines[here][:cut] + chance.choice(LUMPS) + lines[here][cut + chance.randrange(3) :]
                )
        text = "\n".join(lines)
    return text


def check(text: str) -> None:
    """Require a policy that holds together, or sentences that say why there is none."""
    reading = read(text, "a.yaml")
    for finding in reading.findings:
        sentence = worded(finding)
        assert sentence.startswith("a.yaml:")
        assert sentence.isprintable()
        assert len(sentence) < 1_000
        assert "Input should" not in sentence
    forbidden = any(finding.severity is Severity.ERROR for finding in reading.findings)
    assert (reading.policy is None) == forbidden
    if reading.policy is not None:
        weights = [step.weight_bp for step in reading.policy.steps]
        assert weights == sorted(weights)
        assert 0 < weights[0] <= weights[-1] <= WHOLE_BP // reading.policy.arms
        assert digest(reading.policy) == digest(parse(text, "b.yaml"))
        assert revision_digest(reading.policy).startswith("sha256:")


@settings(max_examples=400)
@given(st.sampled_from(EXAMPLES), st.integers(0, 2**32), st.integers(1, 6))
def test_mutated_policies(text: str, seed: int, changes: int) -> None:
    check(mutated(text, seed, changes))


@settings(max_examples=100)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "route",
    "baseline",
    "candidate",
    "assignment",
    "resilience",
    "expect",
    "metrics",
    "risk",
    "steps",
    "decide",
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.sampled_from(["spec", "metadata"]))
def test_any_value_under_any_key(values: dict[str, object], top: str) -> None:
    import json  # noqa: PLC0415 (YAML takes JSON)

    check(json.dumps({"apiVersion": "rollout/v1", "kind": "RolloutPolicy", top: values}))
