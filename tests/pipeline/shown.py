"""What the pipeline can show of each trap, in a sentence; a policy cannot express all of a trap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SHOWN: Final[Mapping[int, str]] = {
    1: "a goal without a difference is neither promoted nor rolled back, however often it is looked at",
    2: "an arm with hardly any conversions is not harmed: its variance has a floor, and thirty units are due",
    3: "the same for sums of money; the wrong way reads control and rest beside a twentieth of the people",
    4: "blocks compare people of the same step, 1:1; the wrong way reads control and rest, and totals",
    5: "strata are blocks with weights of their sizes; the wrong way takes hours, and reads control and rest",
    6: "a conversion counts for the people of its unit's block, whenever it comes, in a closed window",
    7: "nobody changes arm while the share grows, and a unit enters once; the rest is known by its outcomes",
    8: "a unit has one window, so thirteen more days of the same people add nothing",
    9: "harm counts each unit's first error since a start, not its requests; no proof of safety is at stake",
    10: "units are counted once for the split; held to the product's alpha of 0.1 %",
    11: "the split may be looked at again and again; the product's alpha is 0.1 %, the wrong way's 5 and 1 %",
    12: "unit-windows and units both have to say that a limit is violated; the limit is 10 %, not 1 %",
    13: "a limit exactly met is neither violated nor proven kept; the goal is so good that it alone decides",
    14: "the steps share one process, so five steps spend one alpha",
    15: "no policy can ask for more than one window of a unit; 100,000 ticks are reported as sums of many",
    16: "answers are held against a frozen quantile beside the control of the same steps",
    17: "a limit that a few slow people meet exactly is not violated",
    18: "and it is not proven kept either, before the slow people have shown up",
    19: "minutes in which the baseline breaks the limit too are left out for everybody",
    20: "harm counts each unit's first error since a start, so the same few people are no crowd",
    21: "fractions of people alone would prove the limit kept that the traffic does not keep",
    22: "a proof of the first day no longer promotes; many are rolled back before, for harm that is true",
    23: "harm means beyond the margin, so a candidate within it is not rolled back; shown for errors",
    24: "how late a rollback comes after five quiet hours, not a week, and with ten requests a second",
}
