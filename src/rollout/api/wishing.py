"""How a person's wish is recorded: refused at the door where it does not fit, and once where it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Protocol

from rollout.api.acts import act_of
from rollout.api.problems import Refusal
from rollout.api.refusals import MAXIMUM_TRIES, is_leaving, too_late, too_restless
from rollout.api.shapes import is_over
from rollout.api.unfit import awaited, ended_as, group_refused, unchosen, unfit, unlooked, unproven
from rollout.client.answers import ExperimentAnswer
from rollout.client.wishes import AskedAnswer, WishRequest
from rollout.controller.sights import Sight
from rollout.domain.access import Caller, Role
from rollout.domain.audit import Act
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.overruling import overruled
from rollout.domain.persons import fits
from rollout.domain.wish import Asked, Wish
from rollout.errors import Problem
from rollout.ports import Standing

OVERRIDABLE: Final = frozenset({Asked.ADVANCE, Asked.PROMOTE})
"""What a person may ask for although the policy does not do it by itself; only with `override`."""
_USES: Final = {
    "group": frozenset({Asked.APPROVE}),
    "candidate": frozenset({Asked.PROMOTE}),
    "override": OVERRIDABLE,
}


class WishLedger(Protocol):
    """Where a wish is recorded, and who asked for it."""

    def record(self, seen: Standing, experiment: Experiment, entry: None, *, act: Act | None = None) -> bool:
        """Record state and an act, if the run still stands as seen; return whether."""


@dataclass(frozen=True, slots=True)
class Wishing:
    """Records the wishes of one ledger's runs."""

    ledger: WishLedger
    find: Callable[[str], Standing]
    answer: Callable[[Standing], ExperimentAnswer]
    sight: Callable[[Experiment], Sight | None]
    recorded: Callable[[], None]
    now_us: Callable[[], int]

    def ask(
        self,
        name: str,
        kind: Asked,
        wanted: WishRequest,
        caller: Caller,
        check: Callable[[Standing], None] = lambda _: None,
    ) -> AskedAnswer:
        """Record what a person wants of a run; it is decided at the next look.

        `check` raises when the run does not stand as the caller saw it.
        """
        _refuse_useless(name, kind, wanted)
        if wanted.override and caller.role is not Role.ADMIN:
            what = f"override needs an admin's token, and '{caller.name}' is of role {caller.role}"
            raise Refusal(HTTPStatus.FORBIDDEN, Problem(name, what, "ask an admin, or leave override out"))
        for _ in range(MAXIMUM_TRIES):
            seen = self.find(name)
            check(seen)
            wish = self._wish(seen.experiment, kind, wanted, caller)
            if _is_answered(seen.experiment, wish):
                return AskedAnswer(is_new=False, experiment=self.answer(seen))
            wanting = self._wanting(seen.experiment, wish)
            act = act_of(caller, kind.value, name, wish.at_us, who=wish.who, why=wish.why)
            if self.ledger.record(seen, wanting, None, act=act):
                self.recorded()
                after = replace(seen, experiment=wanting, version=seen.version + 1)
                return AskedAnswer(is_new=True, experiment=self.answer(after))
        raise too_restless(name)

    def _wish(self, run: Experiment, kind: Asked, wanted: WishRequest, caller: Caller) -> Wish:
        return Wish(
            who=wanted.who or caller.name,
            why=wanted.why,
            at_us=self.now_us(),
            kind=kind,
            group=_group(run, wanted.group, caller) if kind is Asked.APPROVE else None,
            arm=run.proposed if kind is Asked.APPROVE else _arm(run, wanted.candidate),
            revision=run.revision,
            step=run.step,
            overrules=wanted.override or kind not in OVERRIDABLE,
        )

    def _wanting(self, run: Experiment, wish: Wish) -> Experiment:
        """Return the run with the wish; refuse what does not fit, waits its turn or is not proven."""
        if wish.kind is Asked.ROLLBACK:
            if is_over(run):
                raise Refusal(HTTPStatus.CONFLICT, too_late(run))
            return replace(run, rollback_wish=wish)
        if not fits(run, wish):
            raise Refusal(HTTPStatus.CONFLICT, unfit(run, wish))
        # What waits for proof, hours or proxies may wait long, and gives way; anything else is answered soon.
        if run.wish is not None and run.wish.kind not in OVERRIDABLE:
            raise Refusal(HTTPStatus.CONFLICT, awaited(run, run.wish), retry_after_s=1)
        if wish.kind in OVERRIDABLE and not wish.overrules:
            self._refuse_unproven(run, wish)
        return replace(run, wish=wish)

    def _refuse_unproven(self, run: Experiment, wish: Wish) -> None:
        sight = self.sight(run)
        if sight is None:
            raise Refusal(HTTPStatus.CONFLICT, unlooked(run.policy.name))
        instead = overruled(run, sight.judgement, wish, wish.at_us)
        if instead is not None:
            raise Refusal(HTTPStatus.CONFLICT, *unproven(run, sight.judgement, wish, instead))


def _is_answered(run: Experiment, wish: Wish) -> bool:
    """Return whether the same was asked before, or is so already."""
    if wish.kind is Asked.ROLLBACK:
        return is_leaving(run)
    same = run.wish is not None and (run.wish.kind, run.wish.group, run.wish.arm, run.wish.overrules) == (
        *(wish.kind, wish.group, wish.arm),
        wish.overrules,
    )
    return same or run.phase in ended_as(wish.kind) or _is_agreed(run, wish)


def _is_agreed(run: Experiment, wish: Wish) -> bool:
    """Return whether a group's consent, or the version that is promoted, is this one already."""
    if wish.kind is Asked.APPROVE:
        return wish.group in run.approved_for(run.proposed)
    is_promoted = run.phase in {Phase.PROMOTING, Phase.WATCHING, Phase.PROMOTED}
    return wish.kind is Asked.PROMOTE and is_promoted and wish.arm in {None, run.winner}


def _refuse_useless(name: str, kind: Asked, wanted: WishRequest) -> None:
    useless = [key for key, kinds in _USES.items() if kind not in kinds and getattr(wanted, key)]
    if useless:
        problems = [
            Problem(f"{name}: {key}", f"{kind} has no use for it", f"leave {key} out") for key in useless
        ]
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, *problems)


def _arm(run: Experiment, version: str | None) -> int | None:
    """Return which candidate a version is."""
    if version is None:
        return None
    versions = [one.version for one in run.policy.candidates]
    if version not in versions:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, unchosen(run, version, versions))
    return versions.index(version) + 1


def _group(run: Experiment, asked: str | None, caller: Caller) -> str:
    """Return in whose name a caller approves; what is left out must be clear."""
    own = _own_groups(run.policy.approvers, caller)
    if asked is not None:
        if asked in run.policy.approvers and asked not in own:
            raise Refusal(HTTPStatus.FORBIDDEN, group_refused(run, asked, caller))
        return asked
    given = run.approved_for(run.proposed)
    waiting = [group for group in own if group not in given] or list(own)
    if len(waiting) == 1:
        return waiting[0]
    if not own and run.policy.approvers:
        raise Refusal(HTTPStatus.FORBIDDEN, group_refused(run, None, caller))
    where, known = f"{run.policy.name}: group", " or ".join(waiting)
    problem = Problem(where, "which group approves is not clear", f"name one: {known}")
    if not waiting:
        problem = Problem(where, "its policy asks nobody to approve", "leave it to the policy, or promote it")
    raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, problem)


def _own_groups(approvers: Sequence[str], caller: Caller) -> tuple[str, ...]:
    return tuple(one for one in approvers if caller.role is Role.ADMIN or one in caller.groups)
