"""How long a control plane waits for late records, and how old evidence may be: two options, one noun."""

from collections.abc import Callable
from functools import wraps

import click

GRACE_S = 600.0
STALE_S = 60.0


def takes_patience(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--grace` and `--stale`, and hand it what they come to as its argument `patience`."""

    @click.option(
        "--grace",
        "grace_s",
        type=click.FloatRange(0, 86_400),
        default=GRACE_S,
        show_default=True,
        help="Seconds that late records are waited for after a window.",
    )
    @click.option(
        "--stale",
        "stale_s",
        type=click.FloatRange(1, 86_400),
        default=STALE_S,
        show_default=True,
        help="Seconds that evidence may lag before nothing moves up.",
    )
    @wraps(verb)
    def patient(*arguments: object, grace_s: float, stale_s: float, **options: object) -> None:
        from rollout.domain.judge import Patience

        patience = Patience(stale_after_us=int(stale_s * 1e6), grace_us=int(grace_s * 1e6))
        verb(*arguments, patience=patience, **options)

    return patient
