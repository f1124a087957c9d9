"""What a verb makes of `--grace` and `--stale`."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from rollout.cli.controlling import verb as control
from rollout.cli.patience import takes_patience
from rollout.cli.up import verb as up
from rollout.domain.judge import Patience
from rollout.errors import ExitCode


@click.command()
@takes_patience
@click.option("--other")
def verb(other: str | None, patience: Patience) -> None:
    click.echo(f"{other} {patience.grace_us} {patience.stale_after_us}")


def said(*options: str) -> str:
    return CliRunner().invoke(verb, options, catch_exceptions=False).output


def test_seconds_become_microseconds_and_the_rest_is_handed_on() -> None:
    assert said("--grace", "1.5", "--stale", "2", "--other", "x") == "x 1500000 2000000\n"


def test_without_them_records_are_waited_for_ten_minutes_and_evidence_lags_one() -> None:
    assert said() == "None 600000000 60000000\n"


@pytest.mark.parametrize("options", [("--grace", "-1"), ("--stale", "0"), ("--grace", "86401")])
def test_what_cannot_be_waited_is_refused(options: tuple[str, str]) -> None:
    refused = CliRunner().invoke(verb, options)
    assert refused.exit_code == ExitCode.COULD_NOT_RUN
    assert options[0] in refused.output


def test_a_house_and_a_control_plane_by_itself_are_asked_alike() -> None:
    there, here = ([one.to_info_dict() for one in command.params] for command in (up, control))
    asked = {"grace_s", "stale_s"}
    assert [one for one in there if one["name"] in asked] == [one for one in here if one["name"] in asked]
