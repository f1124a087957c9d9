"""Queries as policies write them: which templates they have, what is put in, and which series they read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

VARIABLES: Final = ("arm.name", "arm.version", "baseline.version", "policy.name")
"""What `{{…}}` may name."""
MOST_SELECTORS: Final = 8

_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+) | (?P<comment>\#.*)
    | (?P<string>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*') | (?P<raw>`[^`]*`)
    | (?P<open>["'`]) | (?P<number>[0-9.][0-9A-Za-z_.]*) | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<match>=~|!~) | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_TEMPLATE: Final = re.compile(r"\{\{(.*?)\}\}")
_LABEL_LISTS: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS: Final = frozenset({"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan"})
# What RE2 gives a meaning.
_IN_PATTERNS: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    is_pattern: bool = False
    """A text that the server reads as a regular expression."""


def mistakes(query: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a query before any server has seen it, and what to do."""
    for token in _tokens(query):
        if token.kind == "open":
            yield f"a quote is never closed: {token.text}", "close it"
            return
        if token.kind == "comment":
            yield "a comment hides the rest of the line", "remove it"
        elif token.kind == "string":
            yield from _unknown(token.text)
        elif "{{" in query[token.start : token.start + 2] or "{{" in token.text:
            what = "`{{…}}` must stand inside quotes, where it is made safe"
            yield what, 'write it as a label\'s value: {version="{{arm.version}}"}'
    found = _selectors(query)
    if not found:
        yield "reads no series, so its answer says nothing", "name a metric in it"
    if len(found) > MOST_SELECTORS:
        yield f"must not read more than {MOST_SELECTORS} series selectors", "record a rule, and ask for that"


def names_an_arm(query: str) -> bool:
    """Return whether each candidate has a question of its own."""
    return any(name.strip().startswith("arm.") for name in _TEMPLATE.findall(query))


def filled(query: str, variables: Mapping[str, str]) -> str:
    """Return a query with its templates filled: a value can end neither its quotes nor its pattern."""
    return "".join(_filled(token, variables) for token in _tokens(query))


def selectors(query: str) -> tuple[str, ...]:
    """Return the series that a filled query reads, each once: `errors{version="2"}`, without any range."""
    return tuple(dict.fromkeys(_selectors(query)))


def _unknown(text: str) -> Iterator[tuple[str, str]]:
    for name in _TEMPLATE.findall(text):
        if name.strip() not in VARIABLES:
            yield f"no such template: {{{{{name.strip()}}}}}", f"known are {', '.join(VARIABLES)}"
    if "{{" in _TEMPLATE.sub("", text):
        yield "a template is never closed", "write it as {{arm.version}}"


def _filled(token: _Token, variables: Mapping[str, str]) -> str:
    if token.kind != "string":
        return token.text
    quote = token.text[0]

    def value(found: re.Match[str]) -> str:
        plain = variables[found[1].strip()]
        meant = _IN_PATTERNS.sub(r"\\\1", plain) if token.is_pattern else plain
        return meant.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n")

    return _TEMPLATE.sub(value, token.text)


def _tokens(query: str) -> list[_Token]:
    found, is_pattern = list[_Token](), False
    for match in _TOKEN.finditer(query):
        kind = match.lastgroup or "sign"
        found.append(_Token(kind, match[0], match.start(), is_pattern))
        if kind != "blank":
            is_pattern = kind == "match"
    return found


def _selectors(query: str) -> list[str]:
    tokens = [token for token in _tokens(query) if token.kind not in {"blank", "comment"}]
    found, place = list[str](), 0
    while place < len(tokens):
        token, after = tokens[place], _text(tokens, place + 1)
        if token.text == "[" or (token.text.lower() in _LABEL_LISTS and after == "("):
            place = _closed(tokens, place, "]" if token.text == "[" else ")")
        elif token.text == "{" or (token.kind == "name" and after == "{"):
            end = _closed(tokens, place, "}")
            found.append(query[token.start : tokens[end - 1].start + len(tokens[end - 1].text)])
            place = end
        else:
            if _is_metric(token, after):
                found.append(token.text)
            place += 1
    return found


def _is_metric(token: _Token, after: str) -> bool:
    """Return whether a name stands for series: not for a function, an aggregation or a word."""
    is_word = token.text.lower() in _WORDS | _LABEL_LISTS
    return token.kind == "name" and not is_word and after != "(" and after.lower() not in {"by", "without"}


def _text(tokens: list[_Token], place: int) -> str:
    return tokens[place].text if place < len(tokens) else ""


def _closed(tokens: list[_Token], place: int, sign: str) -> int:
    """Return the place after the next such sign, or after everything."""
    ends = (at + 1 for at in range(place, len(tokens)) if tokens[at].text == sign)
    return next(ends, len(tokens))
