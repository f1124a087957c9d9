"""Queries: what is put into a template cannot leave its quotes, and what a query reads is found."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.promql import MOST_SELECTORS, VARIABLES, filled, mistakes, names_an_arm, selectors

ARM = {name: name for name in VARIABLES}


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("gpu", ["gpu"]),
        ('max(gpu{version="2"})', ['gpu{version="2"}']),
        ('{__name__="gpu",a=~"b}"}', ['{__name__="gpu",a=~"b}"}']),
        ("gpu {a='b'} [5m]", ["gpu {a='b'}"]),
        (
            'sum by (a) (rate(x_total{v="1"}[5m])) / ignoring(b) group_left(c) y offset 5m or vector(0)',
            ['x_total{v="1"}', "y"],
        ),
        ("sum(rate(a:b[1m:5s])) without (x) > bool 1e3", ["a:b"]),
        ("histogram_quantile(0.9, SUM BY(le)(rate(b_bucket[5m]))) - Inf", ["b_bucket"]),
        ("topk(3, q @ end()) and on(z) q", ["q"]),
        ('count_values("a", z) unless nan atan2 0x1F', ["z"]),
        ("by + sum", ["sum"]),
        ('vector(1) + time() * scalar(pi()) + hour() # gpu"', []),
    ],
)
def test_what_a_query_reads(query: str, read: list[str]) -> None:
    assert list(selectors(query)) == read


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ('gpu{v="{{arm.version}}"}', None),
        ("gpu{v='{{ arm.name }}-{{policy.name}}',w=~\"{{baseline.version}}.*\"}", None),
        ('gpu{v="{{arm.versoin}}"}', "no such template: {{arm.versoin}}"),
        ('gpu{v="{{}}"}', "no such template: {{}}"),
        ('gpu{v="{{arm.version}"}', "a template is never closed"),
        ("gpu{v={{arm.version}}}", "`{{…}}` must stand inside quotes, where it is made safe"),
        ("gpu{v=`{{arm.version}}`}", "`{{…}}` must stand inside quotes, where it is made safe"),
        ('gpu{v="2}', 'a quote is never closed: "'),
        ("gpu # {{arm.name}}", "a comment hides the rest of the line"),
        ("vector(1)", "reads no series, so its answer says nothing"),
        (
            " + ".join(f"m{number}" for number in range(MOST_SELECTORS + 1)),
            "must not read more than 8 series selectors",
        ),
    ],
)
def test_mistakes_are_found_before_any_server_is_asked(query: str, what: str | None) -> None:
    assert [found for found, _ in mistakes(query)] == ([] if what is None else [what])


@pytest.mark.parametrize(
    ("query", "is_named"),
    [
        ('gpu{v="{{arm.version}}"}', True),
        ('gpu{v="{{ arm.name }}"}', True),
        ('a{v="{{policy.name}}"}', False),
    ],
)
def test_whether_each_candidate_has_its_own_question(query: str, is_named: bool) -> None:  # noqa: FBT001
    assert names_an_arm(query) is is_named


def unquoted(text: str) -> str:
    """Return what Go makes of a quoted text."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text[1:-1], flags=re.DOTALL)


@given(value=st.text(), quote=st.sampled_from("\"'"), operator=st.sampled_from(["=", "!="]))
def test_a_value_is_what_the_server_compares_with(value: str, quote: str, operator: str) -> None:
    query = filled(f"gpu{{v{operator}{quote}{{{{arm.version}}}}{quote}}} > 1", {**ARM, "arm.version": value})
    assert query.startswith(f"gpu{{v{operator}{quote}")
    assert query.endswith(f"{quote}}} > 1")
    assert unquoted(query[len(f"gpu{{v{operator}") : -len("} > 1")]) == value
    assert len(selectors(query)) == 1


@given(value=st.text(st.characters(codec="utf-8")), other=st.text(st.characters(codec="utf-8"), max_size=5))
def test_in_a_pattern_a_value_matches_itself_and_nothing_else(value: str, other: str) -> None:
    query = filled('gpu{v=~"{{arm.version}}"}', {**ARM, "arm.version": value})
    pattern = re.compile(unquoted(query[len("gpu{v=~") : -len("}")]), re.DOTALL)
    assert pattern.fullmatch(value)
    assert bool(pattern.fullmatch(other)) == (other == value)


@given(st.text(max_size=80))
def test_any_text_is_read_without_a_crash_and_stays_itself_without_templates(query: str) -> None:
    found = list(mistakes(query))
    assert len(selectors(query)) <= len(query)
    if not found and "{{" not in query:
        assert filled(query, ARM) == query
