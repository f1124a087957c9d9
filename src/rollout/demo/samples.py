"""Sample models: a server at each address of this machine that policies name, which answers its version."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from rollout.demo.models import Model, ModelServer
from rollout.domain.policy import Policy
from rollout.errors import Problem, ProxyFailed

ENDS_WITHIN_S: Final = 5.0
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost"})


@contextmanager
def sample_models(policies: Sequence[Policy]) -> Iterator[tuple[str, ...]]:
    """Serve the versions that should run on this machine until the block ends; yield their addresses."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sample-models", daemon=True)
    thread.start()
    servers: list[ModelServer] = []
    try:
        for version, port in _wanted(policies):
            server = ModelServer(Model(version), random.Random())  # noqa: S311 (scores of a sample)
            servers.append(server)
            try:
                asyncio.run_coroutine_threadsafe(server.open(port), loop).result(ENDS_WITHIN_S)
            except OSError as error:
                what, remedy = str(error.strerror or error).lower(), "leave out --sample-models, or end it"
                raise ProxyFailed(Problem(f"127.0.0.1:{port}", what, remedy)) from None
        yield tuple(f"http://127.0.0.1:{port}" for _, port in _wanted(policies))
    finally:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result(ENDS_WITHIN_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(ENDS_WITHIN_S)
        loop.close()


def _wanted(policies: Sequence[Policy]) -> list[tuple[str, int]]:
    """Return each version with its port; of two at one address, the first."""
    found: dict[int, str] = {}
    for policy in policies:
        for version in (policy.baseline, *policy.candidates):
            parts = urlsplit(version.url)
            if parts.scheme == "http" and parts.hostname in _THIS_MACHINE and parts.port:
                found.setdefault(parts.port, version.version)
    return [(version, port) for port, version in found.items()]
