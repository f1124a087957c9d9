"""Plans as pages and pictures: beside their policies, in one file, safe, and drawn to scale."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from rollout.domain.look import Patience
from rollout.domain.plan.plan import Plan, plan
from rollout.policyfile.reading import parse
from rollout.render.plan_chart import plan_chart, plan_picture
from rollout.render.plan_page import plan_page
from rollout.render.plan_words import chance, metric_rows, provable_rows, step_rows, tables
from tests.command import ROOT
from tests.render.test_pages import HOSTILE, Outline, without_pictures

GOLDEN = ROOT / "tests" / "golden" / "plans"
NAMES = sorted(file.stem for file in GOLDEN.glob("*.yaml"))
DAY_S = 86_400.0


def made(name: str) -> Plan:
    text = (GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")
    return plan(parse(text, f"{name}.yaml"), Patience())


def page(found: Plan) -> str:
    return plan_page(found, [f"{one.what}; {one.remedy}" for one in found.advice])


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_as_they_were(name: str, *, update_golden: bool) -> None:
    text = without_pictures(page(made(name)))
    file = GOLDEN / f"{name}.html"
    if update_golden:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_no_golden_is_an_orphan() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == {
        f"{name}.{suffix}" for name in NAMES for suffix in ("yaml", "html")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_one_file_without_scripts(name: str) -> None:
    seen, text = Outline(), page(made(name))
    seen.feed(text)
    assert seen.open == []
    assert seen.loads == []
    assert not {"script", "link", "iframe", "img"} & set(seen.tags)
    assert (seen.tags.count("svg"), seen.tags.count("h1")) == (1, 1)
    assert text.count("url(") == text.count("url(#")
    named = re.findall(r'\bid="([^"]+)"', text)
    assert len(named) == len(set(named))
    drawn = "".join(re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL))
    assert 'fill="currentColor"' in drawn
    assert not re.search(r'(fill|stroke)="(#000|black|#fff|white)"', drawn)


def test_what_people_wrote_is_shown_and_never_run() -> None:
    found = made("churn")
    metrics = (replace(found.metrics[0], name=HOSTILE), *found.metrics[1:])
    hostile = replace(found, name=HOSTILE, owner=HOSTILE, answer=HOSTILE, metrics=metrics)
    seen = Outline()
    seen.feed(page(hostile))
    assert "script" not in seen.tags
    ET.fromstring(plan_picture(hostile))  # noqa: S314 (ours)
    assert "<script" not in plan_picture(hostile)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_a_file_of_its_own(name: str) -> None:
    found = made(name)
    root = ET.fromstring(plan_picture(found))  # noqa: S314 (ours)
    words = "".join(root.itertext())
    assert found.answer in words
    for number in [step.number for step in found.steps] + [step.number for step in found.copies]:
        assert f"steps[{number}]: " in words
    for metric in found.metrics:
        assert (metric.name in words) is (metric.longest_s is not None or metric.is_never)
    assert ("gives up" in words) is found.promotes
    assert ("concludes" in words) is (found.promotes and found.concludes)


def bars(found: Plan) -> list[float]:
    """Return the widths of the bars, in the order they are drawn."""
    drawn = plan_chart(found)
    assert drawn is not None
    paths = re.findall(r'<path d="([^"]+)"[^>]*fill="#3b82f6"', drawn)
    ends = [[float(x) for x in re.findall(r"[MHL](-?[\d.]+)", path)] for path in paths]
    return [max(end) - min(end) for end in ends]


def test_steps_are_drawn_to_scale() -> None:
    found = made("churn")
    widths = bars(found)
    lasts = [step.lasts_s or 0.0 for step in found.steps]
    assert len(widths) == 3
    for width, seconds in zip(widths[1:], lasts[1:], strict=True):
        assert width / sum(widths) == pytest.approx(seconds / sum(lasts), abs=0.01)


def test_a_plan_without_steps_has_an_empty_picture() -> None:
    nothing = replace(made("shadow"), copies=())
    assert plan_chart(nothing) is None
    root = ET.fromstring(plan_picture(nothing))  # noqa: S314 (ours)
    assert nothing.answer in "".join(root.itertext())


def test_what_is_far_too_late_is_cut_at_the_edge_and_said() -> None:
    found = made("refused")
    late = replace(found.metrics[0], expected_s=400 * DAY_S, longest_s=900 * DAY_S)
    drawn = plan_chart(replace(found, metrics=(late, *found.metrics[1:])))
    assert drawn is not None
    assert "400 d, longest 900 d" in drawn
    assert ">45<" not in drawn
    never = replace(late, expected_s=None, longest_s=None, is_never=True)
    assert ">never<" in (plan_chart(replace(found, metrics=(never,))) or "")


def test_cells_say_what_is_not_known() -> None:
    found = made("churn")
    unknown = replace(
        found.metrics[1], level=None, is_least=True, chance=None, proves=None, harm=None, units=917.0
    )
    (row,) = metric_rows(replace(found, metrics=(unknown,)))
    assert row["baseline"] == "not said"
    assert row["units"] == "≥ 917"
    assert row["expected"].startswith("≥ ")
    assert (row["chance"], row["provable"], row["bad: off after"], row["users"]) == ("–", "–", "–", "–")


def test_cells_of_the_refused_plan() -> None:
    row = metric_rows(made("refused"))[0]
    assert row["bad: off after"] == "not in time"
    assert row["chance"] == "42 %"
    assert [step["lasts"] for step in step_rows(made("refused"))] == ["2 d 12 h", "12 h", "at most 14 d"]
    assert provable_rows(made("refused"))[0]["steps[2]"].startswith("± ")
    assert list(tables(made("shadow"))) == ["What each copying step brings"]


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "under 1 %"), (0.002, "under 1 %"), (0.42, "42 %"), (0.999, "over 99 %")]
)
def test_a_chance_is_never_quite_sure_and_never_none(share: float, said: str) -> None:
    assert chance(share) == said


def test_the_page_says_whether_the_baseline_keeps_its_limits() -> None:
    found = made("churn")
    broken = replace(found.metrics[2], baseline_meets=False)
    assert "0.4 %, meets it" in page(found)
    assert "0.4 %, breaks it" in page(replace(found, metrics=(broken,)))
