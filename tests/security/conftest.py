"""One proxy for the tests of a file: what a test sends is told apart by its unit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.exposed import Exposed, exposed


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    with exposed(tmp_path_factory.mktemp("envoy")) as found:
        yield found
