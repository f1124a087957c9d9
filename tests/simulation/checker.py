"""The promises of the loop, checked at every commit, at every action and at every split that a node serves.

Nothing here asks `decide`: what a decision must rest on is computed again from what the sources handed out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rollout.controller.naming import Purpose, job_name
from rollout.domain.assignment import Placement, Split
from rollout.domain.decision import Action
from rollout.domain.experiment import ENDED, Experiment, Phase, placement_of
from rollout.domain.history import Entry
from rollout.domain.wish import Wish
from rollout.fleet.snapshot import Snapshot
from rollout.ports import Standing
from tests.simulation.nodes import term_of
from tests.simulation.promises import (
    HARM,
    MAY_RAISE,
    ON_TRIAL,
    in_words,
    key_of,
    require,
    require_grounds,
    shares,
)
from tests.simulation.story import Story
from tests.simulation.truth import Handed, Kind


@dataclass
class Checker:
    """Sees everything that happens in a world."""

    story: Story
    now_s: Callable[[], float]
    is_running: Callable[[str], bool]
    """Whether an action runs now."""
    weights: Callable[[str], Mapping[str, Split]]
    """What every node that is not cut off serves of a policy, by node."""
    runs: dict[str, Standing] = field(default_factory=dict)
    entries: defaultdict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    served: dict[str, str] = field(default_factory=dict)
    """The uid of each name's latest run."""
    begun: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, Wish]] = field(default_factory=list)
    """Acknowledged wishes."""
    superseded: list[Wish] = field(default_factory=list)
    looks: dict[tuple[str, str], Handed] = field(default_factory=dict)
    """What each process was handed last of each run."""
    proven: set[tuple[str, int, int]] = field(default_factory=set)
    """Runs, revisions and candidates that somebody was handed a whole proof of."""
    wanted: defaultdict[str, set[tuple[object, ...]]] = field(default_factory=lambda: defaultdict(set))
    """Every placement that was ever recorded, by policy."""
    known: defaultdict[str, list[tuple[float, Placement | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """What was recorded of each policy, and since when."""
    terms: dict[str, int] = field(default_factory=dict)
    wanted_jobs: set[str] = field(default_factory=set)
    rolling_back_since_s: dict[str, float] = field(default_factory=dict)

    def started(self, standing: Standing) -> None:
        """See a run begin."""
        run = standing.experiment
        self.story.tell("ledger", "starts", run.policy.name, run.uid, f"revision {run.revision}")
        before = self.served.get(run.policy.name)
        if before is not None:
            over = self.runs[before].experiment
            require(
                over.phase in ENDED or over.rollback_failed, "a run begins after the last one's end", over.uid
            )
        self.served[run.policy.name] = run.uid
        self.runs[run.uid] = standing
        self._placed(run)

    def revised(self, seen: Standing, after: Experiment) -> None:
        """See a run's policy change."""
        self._follows(seen, after)
        self.story.tell("ledger", "revises", after.uid, f"revision {after.revision}")
        self._stands(seen, after, None)

    def recorded(self, who: str, seen: Standing, after: Experiment, entry: Entry | None) -> None:
        """See a commit, of state alone or with a decision."""
        before = self._follows(seen, after)
        if entry is None:
            self._state_alone(before, after)
        else:
            self._decided(who, before, after, entry)
        self._stands(seen, after, entry)

    def handed(self, who: str, uid: str, look: Handed) -> None:
        """See what a source told a process."""
        self.looks[who, uid] = look
        if look.is_whole and look.split_holds:
            arms = [arm for arm, kind in enumerate(look.kinds, start=1) if kind is Kind.GOOD]
            self.proven |= {(uid, look.revision, arm) for arm in arms}

    def job_begun(self, name: str, variables: Mapping[str, str]) -> None:
        """See an action begin."""
        self.story.tell("jobs", "begins", name)
        self.begun[name] += 1
        require(self.begun[name] == 1, "no action is begun twice", name)
        require(
            name in self.wanted_jobs, "an action is begun only after what it follows from is recorded", name
        )
        run = self.runs[variables["ROLLOUT_UID"]].experiment
        if variables["ROLLOUT_ACTION"] == Purpose.PROMOTE:
            # Whoever was held up may begin it late: it is ended then, and what takes it back comes after it.
            is_early = run.phase is Phase.ROLLING_BACK and job_name(run, Purpose.ROLLBACK) not in self.begun
            is_wanted = run.phase is Phase.PROMOTING or is_early
            require(is_wanted, "nothing is promoted after it was taken back", name, run.phase)
            return
        other = job_name(run, Purpose.PROMOTE)
        waited_s = self.now_s() - self.rolling_back_since_s[run.uid]
        require(not self.is_running(other) or waited_s >= 60, "no rollback beside a promotion", name)
        if waited_s < 10:
            for node, split in self.weights(run.policy.name).items():
                is_zero = not split.is_promoted and not split.steps_on and not split.mirror_on
                require(is_zero, "traffic is away before a rollback's action begins", name, node, split)

    def serves(self, node: str, snapshot: Snapshot) -> None:
        """See what a node is about to serve."""
        require(term_of(snapshot) >= self.terms.get(node, 0), "no node goes back to an old leader", node)
        self.terms[node] = term_of(snapshot)
        for placement in snapshot.placements:
            require(
                key_of(placement) in self.wanted[placement.policy.name],
                "nodes serve what was recorded, and nothing else",
                node,
                placement.split,
            )
        self.story.tell(
            node,
            "serves",
            snapshot.version[:10],
            *[f"{one.policy.name}:{in_words(one.split)}" for one in snapshot.placements],
        )

    def ticked(self, who: str, run: Experiment, *, was_overtaken: bool) -> None:
        """See the end of a look that came through: harm that it saw has lost its traffic."""
        look = self.looks.pop((who, run.uid), None)
        if look is None or was_overtaken or look.revision != run.revision:
            return
        for arm, kind in enumerate(look.kinds, start=1):
            if kind not in {Kind.BROKEN, Kind.SLOW} or arm not in run.active_arms:
                continue
            is_armed = run.phase in ON_TRIAL or (run.phase is Phase.WATCHING and kind is Kind.SLOW)
            require(
                not is_armed, "harm that was seen is stopped by the same look", run.uid, arm, kind, run.phase
            )

    def _follows(self, seen: Standing, after: Experiment) -> Experiment:
        held = self.runs[after.uid]
        require(seen.version == held.version, "nothing is recorded on what was overtaken", after.uid)
        require(self.served[after.policy.name] == after.uid, "what lost its route stays as it is", after.uid)
        return held.experiment

    def _stands(self, seen: Standing, after: Experiment, entry: Entry | None) -> None:
        self.runs[after.uid] = Standing(after, seen.version + 1, entry or seen.last)
        self._placed(after)
        for purpose, phase in ((Purpose.PROMOTE, Phase.PROMOTING), (Purpose.ROLLBACK, Phase.ROLLING_BACK)):
            if after.phase is phase:
                self.wanted_jobs.add(job_name(after, purpose))
        if after.phase is Phase.ROLLING_BACK:
            self.rolling_back_since_s.setdefault(after.uid, self.now_s())

    def _placed(self, run: Experiment) -> None:
        name = run.policy.name
        placement = None if run.phase is Phase.RETIRED else placement_of(run)
        if not self.known[name] or self.known[name][-1][1] != placement:
            self.known[name].append((self.now_s(), placement))
        if placement is not None:
            self.wanted[name].add(key_of(placement))

    def _state_alone(self, before: Experiment, after: Experiment) -> None:
        if (before.wish, before.rollback_wish) != (after.wish, after.rollback_wish):
            self.story.tell("ledger", "wish", after.uid, after.wish or after.rollback_wish)
            require(after.wish is not None or before.wish is None, "no wish is dropped silently", after.uid)
            if before.wish is not None and after.wish != before.wish:
                self.superseded.append(before.wish)
        place = (before.phase, before.step, before.stopped, before.approvals)
        require(
            place == (after.phase, after.step, after.stopped, after.approvals),
            "no change of mind without a decision",
            after.uid,
        )

    def _decided(self, who: str, before: Experiment, after: Experiment, entry: Entry) -> None:
        reason, action = entry.decision.reason.name, entry.decision.action
        told = f"{reason} -> {after.phase} step {after.step}"
        wish = entry.decision.wish
        self.story.tell(who, "decides", after.uid, told, "" if wish is None else f"({wish.why})")
        entries = self.entries[after.uid]
        require(entry.number == len(entries) + 1, "entries have no gaps", after.uid, entry.number)
        entries.append(entry)
        if any(new > old for old, new in zip(shares(before), shares(after), strict=True)):
            require(reason in MAY_RAISE, "traffic goes up by a decision to do so", after.uid, reason)
            require_grounds(self.looks.get((who, after.uid)), before, entry)
        if reason == "GOAL_PROVEN":
            self._is_proven(before, entry)
        if reason in HARM:
            look = self.looks.get((who, after.uid))
            arm = entry.decision.arm or 1
            kinds = () if look is None else look.kinds
            require(
                kinds and kinds[arm - 1] in HARM[reason],
                "nobody is blamed for nothing",
                after.uid,
                reason,
                kinds,
            )
        require(before.phase is not Phase.RETIRED, "a retired route does not come back", after.uid)
        require(set(after.stopped) >= set(before.stopped), "a stopped candidate stays stopped", after.uid)
        if action in {Action.PROMOTE, Action.ROLL_BACK, Action.STOP, Action.RETIRE}:
            same = [one for one in entries if (one.decision.action, one.revision) == (action, entry.revision)]
            require(len(same) == 1, "no decision happens twice", after.uid, action)
        if action is Action.ADVANCE:
            same = [
                one
                for one in entries
                if one.decision.action is action and (one.step, one.revision) == (entry.step, entry.revision)
            ]
            require(len(same) == 1, "no step is begun twice", after.uid, entry.step)
        if entry.decision.wish is not None:
            same = [one for one in entries if one.decision.wish == entry.decision.wish]
            require(len(same) == 1, "no wish is answered twice", after.uid, entry.decision.wish)

    def _is_proven(self, before: Experiment, entry: Entry) -> None:
        arm = entry.decision.arm or 1
        require(
            (before.uid, before.revision, arm) in self.proven,
            "nothing is promoted without proof",
            before.uid,
            arm,
        )
        require(before.is_last_step, "nothing is promoted before the last step", before.uid, before.step)
        given = [
            one.decision.wish
            for one in self.entries[before.uid]
            if (one.decision.action, one.revision, one.step) == (Action.APPROVE, entry.revision, before.step)
        ]
        for group in before.policy.approvers:
            is_given = any(wish is not None and wish.group == group for wish in given)
            require(is_given, "nothing is promoted without consent", before.uid)
