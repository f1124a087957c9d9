"""A spool whose file may hold 1,000 bytes, until there is room: prints which lines were acknowledged when."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from rollout.agent.spool import PAUSE_S, Spool, SpoolBroken

ROOM = 1_000


async def main(file: Path) -> None:
    now = [0.0]
    spool = Spool(file, now_s=lambda: now[0])

    async def told(numbers: range) -> list[int]:
        known = []
        for number in numbers:
            now[0] += 2 * PAUSE_S
            try:
                await spool.append(b"%099d\n" % number)
            except SpoolBroken:
                continue
            known.append(number)
        return known

    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
    known = {"before": await told(range(9))}
    await spool.append(b"x" * 49 + b"\n")
    known["meanwhile"] = await told(range(20, 23))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    known["after"] = await told(range(40, 43))
    spool.close()
    print(json.dumps(known))  # noqa: T201 (its test reads it)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
