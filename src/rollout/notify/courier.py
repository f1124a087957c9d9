"""A process that sends one letter and ends: `python -m rollout.notify.courier`, told by standard input.

A receiver may hang in ways that no time limit of a library covers, and apprise takes half a second and 40 MB
to import; so all of that lives and dies here, and whoever started this ends it at the deadline.
"""

from __future__ import annotations

import sys
import time

import msgspec

from rollout.notify.errand import Answer, Errand


def carry_out(errand: Errand, now_s: int) -> Answer:
    """Send a letter, and return what came of it."""
    if errand.is_webhook:
        from rollout.notify import webhook  # noqa: PLC0415 (one of them is needed, and the other is slow)

        return webhook.send(errand, now_s)
    from rollout.notify import chat  # noqa: PLC0415 (the same)

    return chat.send(errand)


def main() -> None:
    """Read an errand, carry it out, and write what came of it."""
    errand = msgspec.json.decode(sys.stdin.buffer.read(), type=Errand)
    sys.stdout.buffer.write(msgspec.json.encode(carry_out(errand, int(time.time()))))


if __name__ == "__main__":
    main()
