"""The section of the calibration page about whole policies, between its own marks."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulate.null import SEED, Finding

BEGIN, END = "<!-- policies: begin -->", "<!-- policies: end -->"
_HEAD = ("policy", "world", "mistake", "ours", "bar", "naive", "replicates", "looks", "held")


def section(findings: Sequence[Finding]) -> str:
    """Return the section, with its marks."""
    held = all(one.is_held for one in findings)
    verdict = "Every policy keeps its promise." if held else "**Not every promise is kept.**"
    lines = [
        BEGIN,
        "## Whole policies",
        "",
        "Every published policy that can promote, lived through by the judge, decide and evolve of",
        "`rollout simulate` in worlds in which it must not: nothing differs (A/A), or something is",
        "exactly at its margin. A wrong rollback is one by proven harm; what a policy does with inconclusive",
        "evidence is its own choice. Beside it stands the naive rule on the same users: one pot, a two-sided",
        "test at every look, stopped at the first p < 5 %. The bar is the policy's own risk and three",
        "Monte-Carlo standard errors.",
        "",
        f"**{verdict}** `make nulls ARGS=--write` writes this section, the same bytes each time",
        f"(the seed is {SEED}; `--looks` and `--replicates` choose others).",
        "",
        *(f"| {' | '.join(row)} |" for row in (_HEAD, ("---",) * len(_HEAD), *map(_row, findings))),
        END,
    ]
    return "\n".join(lines) + "\n"


def _row(one: Finding) -> tuple[str, ...]:
    return (
        one.policy,
        one.world,
        one.question.value,
        _percent(one.ours, one.replicates),
        f"{one.bar * 100:.2f} %",
        _percent(one.naive, one.replicates),
        f"{one.replicates:,}",
        f"{one.looks:,}",
        "yes" if one.is_held else "**no**",
    )


def _percent(count: int, of: int) -> str:
    return f"{100.0 * count / of:.1f} %"


def kept(page: str, first: str = BEGIN, last: str = END) -> str:
    """Return the section as a page has it, to be written again after the rest; nothing where it has none."""
    _, begin, rest = page.partition(first)
    body, end, _ = rest.partition(last)
    return f"\n{begin}{body}{end}\n" if end else ""


def with_section(page: str, written: str, first: str = BEGIN, last: str = END) -> str:
    """Return a page with this section in place of the one it had, or at its end."""
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if begin and end:
        return f"{before}{written}{after.removeprefix(chr(10))}"
    return f"{page.rstrip()}\n\n{written}"
