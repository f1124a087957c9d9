"""Pages show quoted names as code, and never what a person wrote as markup."""

from __future__ import annotations

import pytest

from rollout.render.template import code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write `for: 7d` beside `until`", "write <code>for: 7d</code> beside <code>until</code>"),
        ("`<b>` & <i>", "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"),
        ("one ` alone", "one ` alone"),
        ("``", "``"),
    ],
)
def test_what_is_quoted_is_code_and_all_is_escaped(text: str, shown: str) -> None:
    assert code(text) == shown
