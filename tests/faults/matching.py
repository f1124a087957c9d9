"""Which row of the lake belongs to which request, by the time at which it began."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def best_matched(
    spans: Sequence[tuple[int, int]], sure: Sequence[int], times: Sequence[int]
) -> dict[int, int]:
    """Give each moment a span, so that the least is left: moments, and spans that must have one.

    A clock that was set makes the spans of several requests lie over each other.
    """
    together = matched(spans, times)
    first = {moment: sure[place] for moment, place in matched([spans[one] for one in sure], times).items()}
    taken, left = set(first.values()), [moment for moment in range(len(times)) if moment not in first]
    others = [place for place in range(len(spans)) if place not in taken]
    second = matched([spans[one] for one in others], [times[one] for one in left])
    apart = first | {left[moment]: others[place] for moment, place in second.items()}

    def missed(pairs: dict[int, int]) -> int:
        return len(times) - len(pairs) + len(set(sure) - set(pairs.values()))

    return min(apart, together, key=missed)


def matched(spans: Sequence[tuple[int, int]], times: Sequence[int]) -> dict[int, int]:
    """Give each moment, in their order, a span that holds it and no other moment, as many as can be.

    Of several spans the one that ends first is taken, which is the best choice there is.
    """
    coming = sorted(range(len(spans)), key=lambda place: spans[place][0], reverse=True)
    open_spans: list[tuple[int, int]] = []
    pairs: dict[int, int] = {}
    for moment, time_us in enumerate(times):
        while coming and spans[coming[-1]][0] <= time_us:
            place = coming.pop()
            heapq.heappush(open_spans, (spans[place][1], place))
        while open_spans and open_spans[0][0] < time_us:
            heapq.heappop(open_spans)
        if open_spans:
            pairs[moment] = heapq.heappop(open_spans)[1]
    return pairs
