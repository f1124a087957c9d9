"""Scenario files: a world in a few readable lines, each mistake with its file and line."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rollout.errors import NotReadable, Problem, choices, nearest, printable

if TYPE_CHECKING:
    from rollout.domain.policy import Policy
    from rollout.policyfile.nodes import Keys, Node
    from rollout.simulation.scenario import Effect, Fault, Scenario, Traffic

MAXIMUM_BYTES = 64 * 1024
KEYS = ("scenario", "about", "start", "effects", "faults", "traffic", "outcomesLost")
TRAFFIC_KEYS = {
    "day": "day",
    "weekend": "weekend",
    "growth": "growth_per_day",
    "heavy": "heavy_share",
    "heavyTimes": "heavy_times",
    "unlucky": "unlucky_share",
    "unluckyTimes": "unlucky_times",
}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
START = re.compile(r"(?P<day>[A-Z][a-z]{2}) (?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])")
PERCENT = re.compile(r"[0-9]+(?:\.[0-9]+)?%")
TIMES = re.compile(r"[0-9]+(?:\.[0-9]+)?")
MOST_COMMON = 0.5
"""At most half of the users may be heavy, and at most half unlucky."""

Said = TypeVar("Said")


def scenario_in(name: str, policy: "Policy") -> "Scenario":
    """Return the scenario of a file, as far as it fits the policy; raises every mistake that is in it."""
    try:
        with Path(name).open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise NotReadable(Problem(name, what, "name a scenario, such as scenarios/good.yaml")) from None
    if len(content) > MAXIMUM_BYTES:
        raise NotReadable(Problem(name, "larger than 64 KiB", "name a scenario, not another file"))
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise NotReadable(Problem(name, "not UTF-8 text", "save it as UTF-8")) from None
    return _Reader(name, policy).scenario(text)


def misfit(policy: "Policy", metric: str) -> tuple[str, str] | None:
    """Return what is wrong with a metric's name, and what to do; nothing when the policy has it."""
    from rollout.simulation.levels import GROUPS, metrics_of

    if metrics_of(policy, metric):
        return None
    names = [*(one.name for one in policy.metrics), *GROUPS]
    if metric in GROUPS:
        known = choices(names[: -len(GROUPS)])
        return f"{policy.name} has nothing that {metric!r} could mean", f"name {known}"
    guess = nearest(metric, names)
    remedy = f"did you mean '{guess}'?" if guess else f"name {choices(names)}"
    return f"{policy.name} has no metric {metric!r}", remedy


class _Reader:
    def __init__(self, file: str, policy: "Policy") -> None:
        self._file, self._policy = file, policy
        self._problems: list[Problem] = []

    def scenario(self, text: str) -> "Scenario":
        """Return what a text says."""
        from rollout.policyfile.composing import compose
        from rollout.policyfile.nodes import Keys
        from rollout.simulation.scenario import Scenario

        document = compose(text)
        for fault in document.faults:
            self._wrong(fault.line, (), fault.what, fault.remedy or "see docs/simulate.md")
        if not isinstance(document.root, Keys):
            if not self._problems:
                self._wrong(1, (), "must be keys, such as `scenario: good`", "see docs/simulate.md")
            raise NotReadable(*self._problems)
        root = document.root
        self._check_keys(root, (), KEYS)
        weekday, minute = self._start(root)
        found = Scenario(
            name=self._word(root, "scenario") or Path(self._file).stem,
            about=self._word(root, "about") or "",
            effects=tuple(self._sentences(root, "effects", self._effect)),
            faults=tuple(self._sentences(root, "faults", self._fault)),
            traffic=self._traffic(root),
            weekday=weekday,
            minute=minute,
            outcomes_lost=self._share(root, ("outcomesLost",), 1.0) or 0.0,
        )
        if self._problems:
            raise NotReadable(*self._problems)
        return found

    def _wrong(self, line: int | None, path: Sequence[str], what: str, remedy: str) -> None:
        at = "" if line is None else f":{line}"
        key = f": {'.'.join(path)}" if path else ""
        self._problems.append(Problem(f"{self._file}{at}{key}", what, remedy))

    def _check_keys(self, node: "Keys", path: Sequence[str], known: Sequence[str]) -> None:
        for key in node.entries:
            if key not in known:
                guess = nearest(key, known)
                remedy = f"did you mean '{guess}'?" if guess else f"known here: {', '.join(known)}"
                self._wrong(node.lines[key], (*path, key), "unknown key", remedy)

    def _word(self, root: "Keys", key: str) -> str | None:
        from rollout.policyfile.nodes import Scalar

        node = root.entries.get(key)
        if node is None:
            return None
        if not isinstance(node, Scalar) or node.is_null:
            self._wrong(node.line, (key,), "must be words", f"write `{key}: words`")
            return None
        return printable(node.text)

    def _start(self, root: "Keys") -> tuple[int, int]:
        written = self._word(root, "start") or "Mon 09:00"
        found = START.fullmatch(written)
        if found is None or found["day"] not in DAYS:
            remedy = "write a day and a time, UTC, such as Mon 09:00"
            what = f"must be a day and a time (got {written!r})"
            self._wrong(root.lines["start"], ("start",), what, remedy)
            return 0, 0
        return DAYS.index(found["day"]), int(found["hour"]) * 60 + int(found["minute"])

    def _sentences(self, root: "Keys", key: str, meant: Callable[[str], Said]) -> list[Said]:
        """Return what the sentences below a key mean."""
        from rollout.policyfile.nodes import Items, Scalar

        node, found = root.entries.get(key), []
        if node is None:
            return []
        if not isinstance(node, Items):
            self._wrong(root.lines[key], (key,), "must be a list of sentences", "write each as `- sentence`")
            return []
        for place, item in enumerate(node.items):
            path = (f"{key}[{place}]",)
            if not isinstance(item, Scalar):
                self._wrong(item.line, path, "must be a sentence", "put it into quotes if it has a colon")
                continue
            try:
                found.append(meant(item.text))
            except ValueError as error:
                self._wrong(item.line, path, f"{error} (got {item.text!r})", "see docs/simulate.md")
            except _Misfit as wrong:
                self._wrong(item.line, path, wrong.what, wrong.remedy)
        return found

    def _effect(self, sentence: str) -> "Effect":
        from rollout.simulation.levels import GROUPS
        from rollout.simulation.sentences import effect

        found = effect(sentence)
        # A scenario fits many policies: a kind of metric that this one has none of is left out, and said.
        if found.metric not in GROUPS and (wrong := misfit(self._policy, found.metric)):
            raise _Misfit(*wrong)
        return found

    @staticmethod
    def _fault(sentence: str) -> "Fault":
        from rollout.simulation.sentences import fault

        return fault(sentence)

    def _traffic(self, root: "Keys") -> "Traffic":
        from rollout.policyfile.nodes import Keys
        from rollout.simulation.scenario import Traffic

        node = root.entries.get("traffic")
        if node is None:
            return Traffic()
        if not isinstance(node, Keys):
            self._wrong(root.lines["traffic"], ("traffic",), "must be keys", "write, say, {day: 30%}")
            return Traffic()
        self._check_keys(node, ("traffic",), tuple(TRAFFIC_KEYS))
        said = {}
        for key, field in TRAFFIC_KEYS.items():
            number = self._number(node, key)
            if number is not None:
                said[field] = number
        return Traffic(**said)

    def _number(self, node: "Keys", key: str) -> float | None:
        if key.endswith("Times"):
            return self._times(node, key)
        return self._share(node, ("traffic", key), MOST_COMMON if key in {"heavy", "unlucky"} else 1.0)

    def _times(self, node: "Keys", key: str) -> float | None:
        text = _text(node.entries.get(key))
        if text is None:
            return None
        if TIMES.fullmatch(text) is None or float(text) < 1.0:
            what = f"must be 1 or more (got {text})"
            self._wrong(node.lines[key], ("traffic", key), what, "write, say, 10")
            return None
        return float(text)

    def _share(self, node: "Keys", path: Sequence[str], most: float) -> float | None:
        key = path[-1]
        text = _text(node.entries.get(key))
        if text is None:
            return None
        if PERCENT.fullmatch(text) is None or float(text[:-1]) >= 100.0 * most:
            what = f"must be a percentage below {most:.0%} (got {text})"
            self._wrong(node.lines[key], path, what, "write, say, 20%")
            return None
        return float(text[:-1]) / 100.0


class _Misfit(Exception):
    """A sentence speaks of what the policy does not have."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def _text(node: "Node | None") -> str | None:
    from rollout.policyfile.nodes import Scalar

    if node is None:
        return None
    return node.text if isinstance(node, Scalar) else "keys or a list"
