"""Pages beside the stories that they tell: whole, readable, safe, and without anything from elsewhere."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rollout.client.answers import ReportFormat
from rollout.domain.experiment import Phase
from rollout.domain.report import report
from rollout.domain.verdict import Finding, Verdict
from rollout.render.pages import page
from tests.command import ROOT
from tests.render.stories import STORIES, Story, promoted, rolled_back

GOLDEN = ROOT / "tests" / "golden" / "reports"
SUFFIXES = {ReportFormat.HTML: "html", ReportFormat.MARKDOWN: "md", ReportFormat.JSON: "json"}
VOID = {"meta", "br", "link", "hr", "img", "input"}
HOSTILE = "<script>alert(1)</script>|`*"


def golden(name: str, form: ReportFormat) -> Path:
    return GOLDEN / f"{name}.{SUFFIXES[form]}"


def without_pictures(text: str) -> str:
    """Leave out what the drawing library makes: its numbers may change with its version."""
    return re.sub(r"<svg .*?</svg>", "<svg/>", text, flags=re.DOTALL)


@pytest.mark.parametrize("form", ReportFormat)
@pytest.mark.parametrize("name", STORIES)
def test_pages_are_as_they_were(name: str, form: ReportFormat, *, update_golden: bool) -> None:
    made = without_pictures(page(*STORIES[name](), form))
    file = golden(name, form)
    if update_golden:
        file.write_text(made, encoding="utf-8")
    assert made == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ReportFormat)
def test_what_is_wrong_right_now_stands_below_the_answer(form: ReportFormat) -> None:
    text = page(*promoted(), form, ("candidate 2: 1 of 2 hosts out", HOSTILE))
    assert text.count("candidate 2: 1 of 2 hosts out") == 1
    assert form is ReportFormat.JSON or "Right now, candidate 2: 1 of 2 hosts out." in text
    assert form is not ReportFormat.HTML or "<script" not in text.split("<body>")[1]


def test_no_golden_is_an_orphan() -> None:
    assert set(GOLDEN.iterdir()) == {golden(name, form) for name in STORIES for form in ReportFormat}


class Outline(HTMLParser):
    """Checks that tags close in order, and collects what a page would load and name."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [
            value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "action"}
        ]
        self.labels += [value or "" for name, value in attrs if name == "aria-label"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(story: Story) -> Outline:
    seen = Outline()
    seen.feed(page(*story, ReportFormat.HTML))
    assert seen.open == []
    return seen


@pytest.mark.parametrize("name", STORIES)
def test_a_page_is_one_file_without_scripts(name: str) -> None:
    seen = outline(STORIES[name]())
    assert seen.loads == []
    assert not {"script", "link", "iframe", "img"} & set(seen.tags)
    text = page(*STORIES[name](), ReportFormat.HTML)
    named = re.findall(r'\bid="([^"]+)"', text)
    assert len(named) == len(set(named))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(named)
    assert text.count("url(") == text.count("url(#")


def test_a_page_has_a_picture_for_each_metric_with_an_interval_and_says_what_it_shows() -> None:
    seen = outline(promoted())
    assert seen.tags.count("svg") == 3
    assert seen.tags.count("figure") == 3
    assert any("converted over time: Proven better" in label for label in seen.labels)
    assert seen.tags.count("h1") == 1


def test_pictures_take_the_page_s_own_ink() -> None:
    text = page(*promoted(), ReportFormat.HTML)
    drawn = "".join(re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL))
    assert 'fill="currentColor"' in drawn
    assert not re.search(r'(fill|stroke)="(#000|black|#fff|white)"', drawn)


def test_what_people_wrote_is_shown_and_never_run() -> None:
    run, entries = rolled_back()
    policy = replace(run.policy, name=HOSTILE, owner=HOSTILE)
    story = (replace(run, policy=policy), entries)
    assert "script" not in outline(story).tags
    assert "<script" not in page(*story, ReportFormat.MARKDOWN).replace("\\<script", "")
    assert json.loads(page(*story, ReportFormat.JSON))["name"] == HOSTILE


@pytest.mark.parametrize(
    ("phase", "beginning"),
    [
        (Phase.RUNNING, "Version 2.0.0 is on trial with 50 % of the units: "),
        (Phase.PAUSED, "The trial of version 2.0.0 is paused at 50 % of the units: "),
        (Phase.PROMOTING, "Version 2.0.0 is being promoted: the goal is proven"),
        (Phase.PROMOTED, "Version 2.0.0 has replaced 1.4.2: the goal is proven"),
        (Phase.ROLLING_BACK, "Version 2.0.0 is being rolled back to 1.4.2: "),
        (Phase.ROLLED_BACK, "Version 2.0.0 was rolled back, and 1.4.2 serves everybody: "),
        (Phase.STOPPED, "The trial of version 2.0.0 was stopped"),
        (Phase.ACTION_FAILED, "A person has to look at version 2.0.0: "),
    ],
)
def test_the_answer_is_one_sentence(phase: Phase, beginning: str) -> None:
    run, entries = promoted()
    answer = report(replace(run, phase=phase), entries).answer
    assert answer.startswith(beginning)
    assert answer.endswith(".")


def test_the_answer_to_harm_names_the_metric() -> None:
    assert report(*rolled_back()).answer.endswith("a metric is proven worse than its margin (errors).")


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            Verdict("converted", Finding.UNCLEAR, is_immature=True),
            "Too early: no window can have closed yet.",
        ),
        (
            Verdict("converted", Finding.UNCLEAR, is_outage=True),
            "Baseline and candidate suffer together, so nothing is learned.",
        ),
        (Verdict("converted", Finding.MISSING), "It should exist by now, and could not be measured."),
        (
            Verdict("converted", Finding.MISSING, estimate=0.1, why="n1 lost records"),
            "Nothing may be proven of it: n1 lost records.",
        ),
        (
            Verdict("errors", Finding.HARMED, why="n1 lost records"),
            "Proven worse than allowed, although n1 lost records.",
        ),
        (
            Verdict("converted", Finding.UNCLEAR, estimate=-0.021, interval=(-math.inf, 0.3)),
            "Not proven yet, neither way: about −2.1 %, and how sure that is cannot be said yet.",
        ),
        (
            Verdict("p99", Finding.SAFE, estimate=0.004, interval=(0.003, 0.0061)),
            "Proven safe: about 0.400 %, and between 0.300 % and 0.610 % with 95 % certainty at every look.",
        ),
    ],
)
def test_a_metric_is_told_in_plain_words(verdict: Verdict, sentence: str) -> None:
    run, entries = promoted()
    last = replace(entries[-1], judgement=replace(entries[-1].judgement, verdicts=(verdict,)))
    (line,) = report(run, (*entries[:-1], last)).metrics
    assert line.sentence == sentence


def test_looks_that_repeat_a_decision_are_no_events() -> None:
    events = report(*promoted()).events
    assert [event.what for event in events] == [
        "Held",
        "Advanced to 10 % of the units",
        "Held",
        "Advanced to 50 % of the units",
        "Held",
        "Promotion begun",
        "Promoted: everybody gets the candidate",
    ]
