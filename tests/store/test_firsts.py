"""First errors, whatever the order of arrival: what living starts count is what a full history gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rollout.store.firsts import Erring, Moment, merged

MOMENTS = st.builds(
    Moment, st.integers(0, 12), st.sampled_from(["candidate1", "control", "rest"]), st.integers(1, 2)
)


def first_since(history: list[Moment], begin: int) -> Moment | None:
    """Return the earliest error from a start on, the obvious way."""
    return min((moment for moment in history if moment.ts_us >= begin), default=None)


@given(
    st.lists(st.lists(MOMENTS, min_size=1, max_size=3), min_size=1, max_size=6),
    st.lists(st.integers(0, 3), min_size=6),
)
def test_any_order_and_any_batches_give_the_first_error_since_every_start(
    batches: list[list[Moment]], moves: list[int]
) -> None:
    known: Erring | None = None
    history: list[Moment] = []
    horizon = 0
    for batch, move in zip(batches, moves, strict=False):
        horizon += move
        if known is not None:
            kept = {moment: before for moment, before in known.recent.items() if moment.ts_us >= horizon}
            known = Erring(known.first, known.last_us, kept)
        known = merged(known, batch, horizon_us=horizon)
        history += batch
        assert known.first == min(history)
        for begin in range(horizon, 14):
            counted = [
                moment
                for moment, before in known.recent.items()
                if (before is None or before < begin) and begin <= moment.ts_us
            ]
            first = first_since(history, begin)
            assert counted == ([] if first is None else [first])
