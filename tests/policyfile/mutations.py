"""Policies that somebody mangled: lines moved, doubled or lost, words swapped, lumps thrown in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from rollout.domain.policy import WHOLE_BP
from rollout.policyfile.anatomy import keys
from rollout.policyfile.collisions import collisions
from rollout.policyfile.digest import digest
from rollout.policyfile.finding import Severity, worded
from rollout.policyfile.leaves import Shape
from rollout.policyfile.reading import read
from rollout.policyfile.shapes import File
from rollout.policyfile.unbuilt import unbuilt
from tests.command import ROOT
from tests.policyfile.files import FULL, GOOD

EXAMPLES: Final = (
    GOOD,
    FULL,
    *(file.read_text(encoding="utf-8") for file in sorted((ROOT / "policies").glob("*.yaml"))),
)
SIGNS: Final = ("{", "}", "[", "]", ":", "- ", "? ", "|", ">", '"', "'", "#", "%", "\t", "\n", ", ")
HIDDEN: Final = ("&a ", "*a", "<<: ", "!!str ", "---", "%YAML 1.1")
VALUES: Final = (
    *("null", "~", "on", "0x1", "1e999", "-1%", "1e3", "99999999999999999999", ".inf", ".nan", "0s", "400d"),
    *(
        "0%",
        "100%",
        "33.34%",
        "7d",
        "1ms",
        "180ms",
        "true",
        "false",
        "primary",
        "guardrail",
        "slo",
        "observe",
    ),
    *("outcomes", "proxy", "prometheus", "sql", "binary", "mean", "ratio", "count", "latency", "error-rate"),
    *("threshold", "drift", "increase", "decrease", "verdict", "pause", "rollback", "baseline", "none"),
    *("https://a:1", "header:x-b", "cookie:c", "Mon-Sun 00:00-24:00 UTC", "Sat-Mon 01:00-02:00 Nowhere"),
    *("\x00", "\x85", "\u2028", "é", "\U0001f600", "a" * 300),
)


def _names(shape: type[Shape]) -> Iterator[str]:
    for name, key in keys(shape).items():
        yield f"{name}: "
        for inner in key.shapes:
            yield from _names(inner)


LUMPS: Final = (*SIGNS, *HIDDEN, *VALUES, *sorted(set(_names(File))))


def mutated(text: str, seed: int, changes: int) -> str:
    """Return the text after so many changes; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 (it mutates, it keeps no secret)
    for _ in range(changes):
        lines = text.split("\n")
        here, there = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(7):
            case 0:
                del lines[here]
            case 1:
                lines.insert(there, lines[here])
            case 2:
                lines[here] = "  " * chance.randrange(4) + lines[here].strip()
            case 3:
                lines[here] = _with_another_word(lines[here], chance)
            case 4:
                lines[here] = _with_words_of(lines[here], lines[there], chance)
            case _:
                cut, lost = chance.randrange(len(lines[here]) + 1), chance.randrange(3)
                lines[here] = lines[here][:cut] + chance.choice(LUMPS) + lines[here][cut + lost :]
        text = "\n".join(lines)
    return text


def _with_another_word(line: str, chance: random.Random) -> str:
    words = line.split(" ")
    words[chance.randrange(len(words))] = chance.choice(LUMPS)
    return " ".join(words)


def _with_words_of(line: str, other: str, chance: random.Random) -> str:
    words, others = line.split(" "), other.split(" ")
    words[chance.randrange(len(words))] = others[chance.randrange(len(others))]
    return " ".join(words)


def example(seed: int) -> str:
    """Return a policy with one to six changes; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 (the same)
    return mutated(chance.choice(EXAMPLES), seed, chance.randint(1, 6))


def check(text: str) -> bool:
    """Require a policy that holds together, or sentences that say why there is none; return which."""
    reading = read(text, "a.yaml")
    for finding in reading.findings:
        sentence = worded(finding)
        assert sentence.startswith("a.yaml:")
        assert sentence.isprintable()
        assert len(sentence) < 1_000
        assert "Input should" not in sentence, sentence
    forbidden = any(finding.severity is Severity.ERROR for finding in reading.findings)
    assert (reading.policy is None) == forbidden
    policy = reading.policy
    if policy is None:
        return False
    weights = [step.weight_bp for step in policy.steps]
    assert weights == sorted(weights)
    assert all(0 < weight <= WHOLE_BP // policy.arms for weight in weights)
    assert bool(weights) or bool(policy.mirror_steps)
    again = read(text, "b.yaml")
    assert again.policy is not None
    assert digest(policy) == digest(again.policy)
    assert all(feature.isprintable() for feature in unbuilt(policy))
    assert collisions([reading, again]) != []
    return True
