"""The decision tree as a drawing, made from the routes that Envoy reads and from nothing else.

python -m tests.envoy.drawing     # writes the drawing of docs/data-plane.md anew, from its golden
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rollout.domain.assignment import Placement, arm_seed
from rollout.domain.buckets import HOLDOUT_SALT, layer_salt, seed_of
from rollout.domain.policy import WHOLE_BP
from rollout.envoy.destinations import UNIT_HEADER
from tests.command import ROOT

PAGE: Final = ROOT / "docs" / "data-plane.md"
GOLDEN: Final = ROOT / "tests" / "envoy" / "golden"
DRAWN: Final = "everything"
BEGIN, END = "```text\na request\n", "```\n"
COLUMN: Final = 66
"""Where a line says to which route it leads, unless its question is longer."""
ANY: Final = "any other host"
NOBODY: Final = "404: nobody's"
HOW: Final = {"exact": "is", "prefix": "begins with"}
BLANKS: Final = {"exact": {""}, "prefix": {" ", "\t"}, "suffix": {" ", "\t"}}
NEGATIONS: Final = {" ≥ ": " < ", " there": " not there"}
THERE: Final = re.compile(r"(\S+) there, \1 not blank")
RANGE: Final = re.compile(r"(\w+ bucket) ≥ (\d+), \1 < (\d+)")


@dataclass(frozen=True, slots=True)
class Branch:
    """A question, or `else`, with what follows, or the route to which it leads."""

    text: str
    leads_to: str = ""
    below: list[Branch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Words:
    """How seeds and arms are called."""

    seeds: Mapping[str, str]
    servers: Mapping[str, str]


def drawing(routes: Mapping[str, Any], placements: Sequence[Placement]) -> str:
    """Return the tree of an rds.json; the placements only say what its seeds are called."""
    [configuration] = routes["resources"]
    words = Words(_seeds(placements), dict(_servers(configuration["cluster_specifier_plugins"])))
    hosts = [
        Branch(_host(host["domains"]), below=_by_path(host["matcher"], words))
        for host in sorted(configuration["virtual_hosts"], key=lambda host: host["domains"] == ["*"])
    ]
    others = [] if hosts and hosts[-1].text == ANY else [Branch(ANY, NOBODY)]
    return "\n".join(["a request", *_lines([*hosts, *others])]) + "\n"


def route_names(value: object) -> Iterator[str]:
    """Return the names of all routes in a file, in its order."""
    if isinstance(value, dict):
        if value.get("@type", "").endswith("config.route.v3.Route"):
            yield value["name"]
        for one in value.values():
            yield from route_names(one)
    elif isinstance(value, list):
        for one in value:
            yield from route_names(one)


def _lines(branches: Sequence[Branch], indent: str = "") -> Iterator[str]:
    for branch in branches:
        is_last = branch is branches[-1]
        line = f"{indent}{'└─' if is_last else '├─'} {branch.text}"
        yield f"{line:{COLUMN}} → {branch.leads_to}" if branch.leads_to else line
        yield from _lines(branch.below, indent + ("   " if is_last else "│  "))


def _seeds(placements: Sequence[Placement]) -> dict[str, str]:
    found = {str(seed_of(HOLDOUT_SALT)): "holdout"}
    for placement in placements:
        found[str(arm_seed(placement.policy))] = "arm"
        if placement.policy.layer is not None:
            found[str(seed_of(layer_salt(placement.policy.layer.name)))] = "layer"
    return found


def _servers(plugins: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for plugin in plugins:
        groups = plugin["extension"]["typed_config"]["priority_groups"]
        yield plugin["extension"]["name"], ", else ".join(group["name"].split("/")[2] for group in groups)


def _host(domains: Sequence[str]) -> str:
    return ANY if domains == ["*"] else f"host {domains[0]}, with any port"


def _by_path(matcher: Mapping[str, Any], words: Words) -> list[Branch]:
    by_path = matcher["matcher_tree"]["prefix_match_map"]["map"]
    found = []
    for path in sorted(by_path, key=len, reverse=True):
        inner = by_path[path]["matcher"]
        is_bounded = path != "/"
        if is_bounded:
            [entry] = inner["matcher_list"]["matchers"]
            assert _values(entry["predicate"]) == {f"exact {path}", f"prefix {path}/", f"prefix {path}?"}
            inner = entry["on_match"]["matcher"]
        here = f"path {path}, {path}/… or {path}?…" if is_bounded else "any path"
        found.append(Branch(here, below=_tree(inner, words)))
    return found if "/" in by_path else [*found, Branch("any other path", NOBODY)]


def _tree(matcher: Mapping[str, Any], words: Words) -> list[Branch]:
    found = [
        _branch(f"{_said(entry['predicate'], words)}?", entry["on_match"], words)
        for entry in matcher["matcher_list"]["matchers"]
    ]
    otherwise = matcher.get("on_no_match")
    return found if otherwise is None else [*found, _branch("else", otherwise, words)]


def _branch(text: str, on_match: Mapping[str, Any], words: Words) -> Branch:
    if "matcher" in on_match:
        return Branch(text, below=_tree(on_match["matcher"], words))
    route = on_match["action"]["typed_config"]
    action = route["route"]
    parts = [f"{route['name']}: {words.servers[action['cluster_specifier_plugin']]}"]
    for policy in action.get("request_mirror_policies", ()):
        share = policy["runtime_fraction"]["default_value"]["numerator"] / 100
        parts.append(f"{share:g}% copied to {policy['cluster'].split('/')[2]}")
    if UNIT_HEADER not in {one["header"]["key"] for one in route["request_headers_to_add"]}:
        parts.append("no unit logged")
    return Branch(text, "; ".join(parts))


def _said(predicate: Mapping[str, Any], words: Words) -> str:
    [(kind, value)] = predicate.items()
    if kind == "single_predicate":
        return _single(value, words)
    if kind == "not_matcher":
        return _negated(value, words)
    parts = value["predicate"]
    said = [_said(part, words) for part in parts]
    if kind == "or_matcher":
        return _any(parts, said)
    return RANGE.sub(r"\2 ≤ \1 < \3", THERE.sub(r"\1 not blank", ", ".join(said)))


def _single(value: Mapping[str, Any], words: Words) -> str:
    name = _header({"single_predicate": value})
    if "value_match" in value:
        [(how, text)] = value["value_match"].items()
        return f"{name} {HOW[how]} {text}"
    config = value["custom_match"]["typed_config"]
    if "runtime_fraction" in config:
        return f"key {config['runtime_fraction']['runtime_key'].split('.', 3)[3]} on"
    assert config["modulo"] == WHOLE_BP
    # Every bucket is at least 0: that only asks whether there is a header.
    is_presence = config["threshold"] == 0
    return f"{name} there" if is_presence else f"{words.seeds[config['seed']]} bucket ≥ {config['threshold']}"


def _negated(value: Mapping[str, Any], words: Words) -> str:
    if "or_matcher" in value:
        parts = value["or_matcher"]["predicate"]
        assert all(_is_blank(part) for part in parts)
        return f"{_header(parts[0])} not blank"
    said = _said(value, words)
    [(positive, negative)] = [(one, other) for one, other in NEGATIONS.items() if one in said]
    return said.replace(positive, negative)


def _header(part: Mapping[str, Any]) -> str:
    return str(part["single_predicate"]["input"]["typed_config"]["header_name"])


def _is_blank(part: Mapping[str, Any]) -> bool:
    [(how, text)] = part["single_predicate"]["value_match"].items()
    return text in BLANKS[how]


def _any(parts: Sequence[Mapping[str, Any]], said: Sequence[str]) -> str:
    if all(re.search(r"key \d+ on$", one) for one in said):
        return "in a block that is on"  # which ones these are is said below
    [how] = {how for part in parts for how in part["single_predicate"]["value_match"]}
    stem = f"{_header(parts[0])} {HOW[how]} "
    assert all(one.startswith(stem) for one in said)
    return stem + " or ".join(one.removeprefix(stem) for one in said)


def _values(predicate: Mapping[str, Any]) -> set[str]:
    parts = predicate["or_matcher"]["predicate"]
    matches = [part["single_predicate"]["value_match"] for part in parts]
    return {f"{how} {text}" for match in matches for how, text in match.items()}


def drawn(page: str) -> str:
    """Return the drawing that stands in a page."""
    return page[_span(page)]


def _span(page: str) -> slice:
    begin = page.index(BEGIN) + len("```text\n")
    return slice(begin, page.index(END, begin))


def main() -> None:
    """Write the page's drawing anew."""
    from tests.envoy.test_golden import placements_of  # noqa: PLC0415 (it imports us)

    routes = json.loads((GOLDEN / DRAWN / "rds.json").read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    held = _span(page)
    made = drawing(routes, placements_of(DRAWN))
    PAGE.write_text(page[: held.start] + made + page[held.stop :], encoding="utf-8")


if __name__ == "__main__":
    main()
