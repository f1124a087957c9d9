"""News in plain sentences: a title, what happened, the numbers that decided, who asked, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from rollout.domain.decision import Action, Reason
from rollout.domain.news import Figure, News, Scale
from rollout.domain.telling import TELLINGS, Occasion
from rollout.errors import printable
from rollout.notify.errand import Kind

LONGEST: Final = 300
"""So much of what people wrote is repeated; the rest is where they wrote it."""
LONGEST_NAME: Final = 80
Quote = Callable[[str], str]


def harmless(text: str, longest: int = LONGEST) -> str:
    """Return what somebody wrote as one line that pings nobody, links nowhere and marks nothing up."""
    line = printable(" ".join(text.split()))
    line = line if len(line) <= longest else f"{line[: longest - 1]}…"
    for sign, instead in _DEFUSED.items():
        line = line.replace(sign, instead)
    return line


# A mention or a link is one only where its signs stand together.
_DEFUSED: Final = {"@": "@\u200b", "](": "]\u200b(", "://": ":\u200b//", "<": "‹", ">": "›"}


def kind(news: News) -> Kind:
    """Return how urgent something is."""
    if news.reason is None:
        return Kind.INFO
    action, telling = news.reason.action, TELLINGS[news.reason]
    if action in {Action.ROLL_BACK, Action.STOP_ARM} or news.reason in _FAILED:
        # What a person asks for is no alarm.
        return Kind.FAILURE if news.asked is None else Kind.WARNING
    if action is Action.PAUSE or action is Action.AWAIT or (telling is not None and telling.lasts_us > 0):
        return Kind.WARNING
    return Kind.SUCCESS if news.reason in _GOOD else Kind.INFO


_FAILED: Final = frozenset(
    {Reason.ROLLBACK_FAILED, Reason.ROLLBACK_LATE, Reason.PROMOTION_FAILED, Reason.PROMOTION_LATE}
)
_GOOD: Final = frozenset({Reason.GOAL_PROVEN, Reason.PROMOTION_DONE, Reason.WATCH_PASSED})


def title(news: News) -> str:
    """Return what happened in a few words, such as `churn-v2: rolled back (errors)`."""
    about = f" ({harmless(news.metric, LONGEST_NAME)})" if news.metric else ""
    override = ", overruling the policy" if news.is_override else ""
    return f"{harmless(news.policy, LONGEST_NAME)}: {_headline(news)}{about}{override}"


def _headline(news: News) -> str:
    if news.reason is None:
        return _OCCASIONS[news.occasion].format(revision=news.revision)
    if news.reason in _HEADLINES:
        return _HEADLINES[news.reason]
    return _ACTIONS[news.reason.action]


_OCCASIONS: Final[Mapping[Occasion, str]] = {
    Occasion.STARTED: "started",
    Occasion.REVISED: "revision {revision} begun",
    Occasion.AMENDED: "policy changed",
    Occasion.TESTED: "a test",
    Occasion.DECIDED: "decided",
}
_ACTIONS: Final[Mapping[Action, str]] = {
    Action.HOLD: "held up",
    Action.PAUSE: "paused",
    Action.RESUME: "resumed",
    Action.ADVANCE: "advanced",
    Action.AWAIT: "approval needed",
    Action.APPROVE: "approved",
    Action.PROMOTE: "promotion begun",
    Action.STOP_ARM: "a candidate was stopped",
    Action.ROLL_BACK: "rolled back",
    Action.RETRY: "the failed action was begun again",
    Action.STOP: "stopped",
    Action.RETIRE: "route retired",
    Action.SETTLE: "ended",
}
_HEADLINES: Final[Mapping[Reason, str]] = {
    Reason.PROMOTION_DONE: "promoted",
    Reason.WATCH_PASSED: "the watch is over",
    Reason.PROMOTION_WAITS: "the promote action waits for a person",
    Reason.PROMOTION_FAILED: "the promote action failed",
    Reason.PROMOTION_LATE: "the promote action did not end in time",
    Reason.ROLLBACK_WAITS: "the rollback action waits for a person",
    Reason.ROLLBACK_LATE: "the rollback action did not end in time",
    Reason.ROLLBACK_DONE: "the rollback is done",
    Reason.ROLLBACK_FAILED: "the rollback action failed",
    Reason.WISH_UNFIT: "a wish could not be granted",
}


def sentences(news: News, quote: Quote) -> Iterator[str]:
    """Yield what happened, why, and where the run stands from then on; `quote` marks others' words."""
    if news.reason is None:
        yield _HAPPENED[news.occasion]
    else:
        about = f" ({quote(news.metric)})" if news.metric else ""
        yield f"{_capital(news.reason.meaning)}{about}."
    if news.occasion is Occasion.TESTED:
        return
    if news.who is not None:
        yield _asked(news, quote)
    if news.is_override:
        yield "A person overruled the policy."
    if news.awaits:
        yield f"It waits for the approval of: {', '.join(map(quote, news.awaits))}."
    versions = ", ".join(quote(one) for one in news.candidates)
    tried = f", version {quote(news.candidate)}" if news.candidate and len(news.candidates) > 1 else ""
    yield f"Version {versions} against {quote(news.baseline)}{tried and f'; this is about{tried[1:]}'}."
    yield f"From then on: {news.phase.value}, {_place(news)}."


_HAPPENED: Final[Mapping[Occasion, str]] = {
    Occasion.STARTED: "The experiment was started.",
    Occasion.REVISED: "The policy was changed: evidence, proofs and approvals of before no longer count.",
    Occasion.AMENDED: "The policy was changed, and what was learned still counts.",
    Occasion.TESTED: "Somebody tries whether this receiver is reached. Nothing has happened.",
    Occasion.DECIDED: "Something was decided.",
}


def _asked(news: News, quote: Quote) -> str:
    named = "" if news.group is None else f" for {quote(news.group)}"
    wanted = "" if news.asked is None else f" asked for: {news.asked}"
    why = "" if not news.why else f" – {quote(news.why)}"
    return f"{quote(news.who or '')}{named}{wanted or ' did it'}{why}."


def _place(news: News) -> str:
    share = f"{news.weight_bp / 100:g}% of the units for each candidate"
    if news.weight_bp == 0:
        share = "no traffic for any candidate"
    return f"step {news.step} of {news.steps}, {share}"


def figures(news: News, quote: Quote) -> Iterator[str]:
    """Yield one line for each metric that decided, with its estimate and interval."""
    several = len(news.candidates) > 1
    for one in news.figures:
        named = f"{quote(one.candidate)} {quote(one.metric)}" if several else quote(one.metric)
        yield f"{named} is {one.finding}: {_numbers(one)}"


def _numbers(one: Figure) -> str:
    if one.estimate is None:
        return "no numbers"
    text = number(one, one.estimate)
    if one.low is not None and one.high is not None:
        text += f", between {number(one, one.low)} and {number(one, one.high)}"
    elif one.low is not None or one.high is not None:
        known = one.high if one.low is None else one.low
        text += f", {'below' if one.low is None else 'above'} {number(one, known or 0.0)}"
    if one.scale is Scale.LIFT:
        return f"{text} against the control"
    return text if one.limit is None else f"{text}, with a limit of {number(one, one.limit)}"


def number(one: Figure, value: float) -> str:
    """Return a number on its metric's scale."""
    match one.scale:
        case Scale.LIFT:
            return f"{value * 100:+.1f}%"
        case Scale.SHARE:
            return f"{value * 100:.2g}%" if abs(value) < 1.0 else f"{value * 100:.0f}%"
        case Scale.VALUE:
            return f"{value:g}"


def advice(news: News) -> Iterator[str]:
    """Yield the commands that help now; a policy's name needs no quoting."""
    if news.occasion is Occasion.TESTED:
        return
    if news.reason is not None and news.reason in _ADVICE:
        yield f"rollout {_ADVICE[news.reason]} {harmless(news.policy)}"
    yield f"rollout explain {harmless(news.policy)}"


_ADVICE: Final[Mapping[Reason, str]] = {
    Reason.APPROVAL_NEEDED: "approve",
    Reason.MISMATCH_PAUSES: "resume",
    Reason.NO_DATA_PAUSES: "resume",
    Reason.INCONCLUSIVE_PAUSES: "resume",
    Reason.PERSON_PAUSES: "resume",
    Reason.PROMOTION_FAILED: "retry",
    Reason.PROMOTION_LATE: "retry",
    Reason.ROLLBACK_FAILED: "retry",
    Reason.ROLLBACK_LATE: "retry",
}


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
