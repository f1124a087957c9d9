"""A PostgreSQL database of its own, for tests of several control planes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.databases import server


@pytest.fixture
def database() -> Iterator[str]:
    """Yield the address of an empty one."""
    name = server().create()
    yield server().address(name)
    server().drop(name)
