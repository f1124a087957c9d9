"""What every test shares: where Hypothesis keeps what it learned, CI, and how goldens are renewed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from tests.leak_hooks import LeakHooks, told

ROOT = Path(__file__).parent.parent
LEAKS = pytest.StashKey[LeakHooks]()

set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")

# A busy machine must not fail a test: how long an example takes is the benchmarks' business.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if "CI" in os.environ else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes goldens anew."""
    parser.addoption("--update-golden", action="store_true", help="write what is made now over the goldens")


def pytest_configure(config: pytest.Config) -> None:
    """Have whatever tests leave behind searched for secrets."""
    config.stash[LEAKS] = LeakHooks()
    config.pluginmanager.register(config.stash[LEAKS])


@pytest.fixture(scope="session", autouse=True)
def _shared_folders_keep_secrets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Search what no single test owns; set up first, so that every other fixture has ended before."""
    yield
    found = request.config.stash[LEAKS].of_shared(tmp_path_factory.getbasetemp())
    assert not found, told(found)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are written anew."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def logs_are_nobodys() -> Iterator[None]:
    """Leave no configuration of logs behind: the next test's would go to this one's stream."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
