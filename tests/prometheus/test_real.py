"""What a real server answers: each sample was chosen, so each poll is known beforehand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.intake.polled import PolledEvidence
from rollout.prometheus.client import Prometheus
from rollout.prometheus.server import Server
from tests.contracts.evidence import EvidenceContract, Seen
from tests.envoy.certificates import Authority
from tests.prometheus import broken
from tests.prometheus.broken import serving
from tests.prometheus.real import Samples, running
from tests.prometheus.runs import INTERVAL_S, START_S, at, polling, polls, told
from tests.simulation.fakes import Inline


def samples(values: str, every_s: float = INTERVAL_S, first_s: float = INTERVAL_S - 2) -> Samples:
    """Return samples in whole intervals, a word for each; `.` is none."""
    return [
        (START_S + first_s + number * every_s, value)
        for number, value in enumerate(values.split())
        if value != "."
    ]


COUNTED = [(START_S + 2.0 * tick, str(tick if tick < 20 else tick - 20)) for tick in range(40)]
SERIES = {
    'gpu{version="2.0.0",case="calm"}': samples("0.5 0.5 0.95 0.5 0.5 0.95 0.95 0.95"),
    'gpu{version="2.0.0",case="stopped"}': samples("0.5 0.5 0.5 . . . . ."),
    'gpu{version="2.0.0",case="strange"}': samples("NaN 0.5 +Inf -Inf 0.5 NaN"),
    'gpu{version="2.0.0",case="pair",pod="a"}': samples("0.5 0.5 0.5 . . 0.5"),
    'gpu{version="2.0.0",case="pair",pod="b"}': samples(". . 0.5 0.5 0.5 0.5"),
    'gpu{version="2.0.0",case="half",pod="a"}': samples("0.5 0.5 0.5 0.5 0.5 0.5"),
    'gpu{version="2.0.0",case="half",pod="b"}': samples("0.4 0.4 0.4 . . ."),
    'gpu{version="2.0.0",case="early"}': [(START_S - 1 - 10 * tick, "0.95") for tick in range(9)],
    'gpu{version="2.0.0",case="coarse"}': samples("0.5 0.5", every_s=30.0),
    'gpu{version="2x0x0",case="like"}': samples("0.95 0.95 0.95"),
    'served_total{version="2.0.0"}': COUNTED,
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("prometheus"), SERIES) as address:
        yield address


@pytest.fixture
def source(url: str) -> PolledEvidence:
    """Return a source that answers within the look."""
    return PolledEvidence(Prometheus(Server(url, timeout_s=30.0)), workers=Inline())


class TestPolledFromARealServer(EvidenceContract):
    @pytest.fixture
    def seen(self, source: PolledEvidence) -> Seen:
        return Seen(source, polling(query("calm")), at(33))

    @pytest.fixture
    def silent(self) -> Iterator[Seen]:
        with serving(broken.silent) as address:
            hanging = PolledEvidence(Prometheus(Server(address, timeout_s=30.0)))
            yield Seen(hanging, polling(query("calm")), at(300))


def query(case: str) -> str:
    return f'gpu{{version="{{{{arm.version}}}}",case="{case}"}}'


@pytest.mark.parametrize(
    ("after_s", "found"),
    [(9, ""), (12, ""), (13, "g"), (23, "gg"), (33, "ggb"), (53, "ggbgg"), (83, "ggbggbbb")],
)
def test_polls_lie_on_the_runs_own_grid(source: PolledEvidence, after_s: float, found: str) -> None:
    assert polls(source, polling(query("calm")), after_s) == found


def test_a_source_that_begins_anew_finds_the_same_polls(url: str, source: PolledEvidence) -> None:
    run, grown = polling(query("calm")), ""
    for after_s in range(84):
        grown = polls(source, run, after_s)
        anew = PolledEvidence(Prometheus(Server(url, timeout_s=30.0)), workers=Inline())
        if after_s % 20 == 3:
            assert polls(anew, run, after_s) == grown
    assert grown == "ggbggbbb"


def test_no_more_polls_are_asked_for_than_can_decide(source: PolledEvidence) -> None:
    assert polls(source, polling(query("calm"), failure_limit=1), 83) == "gbbb"


@pytest.mark.parametrize(
    ("asked", "after_s", "found", "problem"),
    [
        (query("stopped"), 63, "ggg---", "what it reads had no sample for 10 s"),
        (f"max({query('stopped')})", 63, "ggg---", "what it reads had no sample for 10 s"),
        (f"max_over_time({query('stopped')}[5m])", 63, "ggg---", "had no sample for 10 s, the interval"),
        (query("strange"), 63, "-g--g-", ""),
        (query("pair"), 63, "gg----", 'the answer has 2 series, and a poll is one number: {__name__="gpu"'),
        (f"max({query('pair')})", 63, "ggg--g", ""),
        (f"max({query('half')})", 63, "ggg---", "had no sample for 10 s"),
        (query("early"), 13, "-", "had no sample for 10 s"),
        (query("never"), 33, "---", ""),
        (f"max({query('never')}) or vector(0)", 33, "---", "had no sample"),
        (f"(max({query('never')}) or vector(0)) + max({query('calm')})", 33, "ggb", ""),
        (query("coarse"), 43, "g--g", ""),
        ("vector(0.1)", 33, "---", "had no sample"),
    ],
)
def test_what_was_not_measured_is_a_gap(
    source: PolledEvidence, asked: str, after_s: float, found: str, problem: str
) -> None:
    run = polling(asked)
    assert polls(source, run, after_s) == found
    said = told(source, run, after_s)
    assert problem in said
    assert bool(said) == bool(problem)


def test_a_counter_that_begins_anew_is_no_fall(source: PolledEvidence) -> None:
    """Half a request a second all along; the difference of the raw counter would fall by twenty."""
    counted = 'served_total{version="{{arm.version}}"}'
    rate = polling(f"sum(rate({counted}[10s]))", maximum=0.6, minimum=0.4)
    assert polls(source, rate, 63) == "gggggg"
    raw = polling(f"sum({counted} - {counted} offset 10s)", maximum=6.0, minimum=4.0)
    assert "b" in polls(source, raw, 63)


def test_a_version_in_a_pattern_is_itself_and_nothing_like_it(source: PolledEvidence) -> None:
    assert polls(source, polling('gpu{version=~"{{arm.version}}",case="like"}'), 33) == "---"
    assert polls(source, polling('gpu{version=~"2.0.0",case="like"}'), 33) == "bbb"


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (
            "gpu{",
            "it refuses the query: 1:5: parse error: unexpected end of input inside braces",
        ),
        ("gpu[5m]", "invalid expression type"),
        ("gpu + on() gpu", "it refuses the query: found duplicate series"),
    ],
)
def test_a_bad_query_is_named_with_what_the_server_says(
    source: PolledEvidence, asked: str, problem: str
) -> None:
    run = polling(asked)
    assert polls(source, run, 33) == "--", "the third may yet be answered"
    assert polls(source, run, 45) == "---"
    said = told(source, run, 45)
    assert problem in said
    assert f"asked `{asked}`" in said


@pytest.mark.parametrize(("ahead_s", "found"), [(0.0, "ggb"), (4.0, "ggb"), (60.0, "--"), (-60.0, "--")])
def test_a_server_with_another_time_measures_nothing(url: str, ahead_s: float, found: str) -> None:
    here = Prometheus(Server(url, timeout_s=30.0), now_s=lambda: time.time() + ahead_s)
    source = PolledEvidence(here, workers=Inline())
    assert polls(source, polling(query("calm")), 33) == found
    said = told(source, polling(query("calm")), 33)
    assert ("its clock and ours differ by 60 s, and at most 5 s are allowed" in said) == (found == "--")


def test_an_https_address_is_believed_by_its_own_authority_only(tmp_path: Path) -> None:
    ours, others = (Authority(tmp_path / name) for name in ("ours", "others"))
    pair = ours.certificate("IP:127.0.0.1")
    web = tmp_path / "web.yml"
    web.write_text(json.dumps({"tls_server_config": {"cert_file": str(pair), "key_file": str(pair)}}))
    with running(tmp_path, SERIES, options=[f"--web.config.file={web}"]) as plain:
        url = plain.replace("http://", "https://")
        believed = Prometheus(Server(url, timeout_s=30.0, ca_file=ours.file))
        assert polls(PolledEvidence(believed, workers=Inline()), polling(query("calm")), 33) == "ggb"
        for server in (Server(url, timeout_s=30.0, ca_file=others.file), Server(url, timeout_s=30.0)):
            doubted = PolledEvidence(Prometheus(server), workers=Inline())
            said = told(doubted, polling(query("calm")), 33)
            assert "it cannot be reached: TLS: certificate verify failed" in said
        assert "Prometheus" in told(
            PolledEvidence(Prometheus(Server(plain, timeout_s=30.0)), workers=Inline()),
            polling(query("calm")),
            33,
        )
