"""The sentences of a scenario: `errors=20% at step 2 for 10m`, `clock +2h at 1d for 10m`."""

from __future__ import annotations

import re
from typing import Final

from rollout.simulation.scenario import Change, Effect, Fault, FaultKind, Moment

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_SPAN: Final = rf"{_NUMBER}(?:ms|s|m|h|d)"
_WHEN: Final = (
    rf"(?: at (?:step (?P<step>[1-9][0-9]?)(?:(?P<after> ?\+ ?{_SPAN}))?|(?P<at>{_SPAN})))?"
    rf"(?: over (?P<over>{_SPAN}))?(?: for (?P<for>{_SPAN}))?"
)
_EFFECT: Final = re.compile(
    rf"(?P<metric>[A-Za-z][A-Za-z0-9_.-]*) ?= ?(?P<sign>[+-]?)(?P<number>{_NUMBER})(?P<unit>%|x)?"
    rf"(?: for (?P<who>everyone|candidate(?: (?P<arm>[1-4]))?))?{_WHEN}"
)
_FAULT: Final = re.compile(
    rf"(?:(?P<silent>outcomes silent)|(?P<blind>metrics silent)"
    rf"|lose (?P<share>{_NUMBER})% of candidate|clock (?P<direction>[+-])(?P<jump>{_SPAN})){_WHEN}"
)
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
EFFECT_FORM: Final = "METRIC=VALUE [for everyone] [at 12h | at step 2] [over 2d] [for 10m]"
FAULT_FORM: Final = (
    "outcomes silent | metrics silent | lose 20% of candidate | clock +2h, then [at …] [for …]"
)


def effect(text: str) -> Effect:
    """Return what a sentence says of a metric: `20%` is a level, `+6%` a change, `-1x` one margin worse.

    Raises `ValueError` with a sentence when it says nothing that can be understood.
    """
    found = _EFFECT.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueError(f"must be {EFFECT_FORM}")
    number = float(found["number"]) * (-1.0 if found["sign"] == "-" else 1.0)
    if found["unit"] == "%":
        number /= 100.0
    if found["unit"] == "x":
        change = Change(aims=number)
    elif found["sign"]:
        if found["unit"] is None:
            raise ValueError("a change must be a percentage, such as +6%, or a multiple, such as +1x")
        change = Change(relative=number)
    else:
        change = Change(level=number)
    if change.relative is not None and change.relative <= -1.0:
        raise ValueError("a change must leave something: more than -100%")
    return Effect(
        metric=found["metric"],
        change=change,
        arm=int(found["arm"]) if found["arm"] else None,
        is_shared=found["who"] == "everyone",
        begins=_moment(found),
        ramp_s=_seconds(found["over"]) or 0.0,
        lasts_s=_seconds(found["for"]),
    )


def fault(text: str) -> Fault:
    """Return what a sentence says goes wrong; raises `ValueError` with a sentence when it says nothing."""
    found = _FAULT.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueError(f"must be {FAULT_FORM}")
    if found["over"]:
        raise ValueError("a fault comes at once: leave out `over`")
    kind, share, jump_s = FaultKind.SILENT, 0.0, 0.0
    if found["blind"]:
        kind = FaultKind.BLIND
    elif found["share"]:
        kind, share = FaultKind.LOST, float(found["share"]) / 100.0
        if not 0.0 < share <= 1.0:
            raise ValueError("the share that is lost must be above 0% and at most 100%")
    elif found["jump"] and found["step"]:
        raise ValueError("all lives share one clock: write a time, such as `at 1d`, instead of a step")
    elif found["jump"]:
        kind, jump_s = FaultKind.CLOCK, _seconds(found["jump"]) or 0.0
        jump_s = -jump_s if found["direction"] == "-" else jump_s
    return Fault(kind, _moment(found), _seconds(found["for"]), share, jump_s)


def span_s(text: str) -> float:
    """Return the seconds of `30m`, `12h`; raises `ValueError` for anything else."""
    if re.fullmatch(_SPAN, text) is None:
        raise ValueError("must be a number with ms, s, m, h or d, such as 15m")
    return _seconds(text) or 0.0


def _moment(found: re.Match[str]) -> Moment:
    if found["step"]:
        after = found["after"]
        return Moment((_seconds(after.replace("+", "").strip()) or 0.0) if after else 0.0, int(found["step"]))
    return Moment(_seconds(found["at"]) or 0.0)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    number = re.match(_NUMBER, text)
    if number is None:
        raise ValueError("must begin with a number")
    return float(number[0]) * _UNIT_S[text[number.end() :]]
