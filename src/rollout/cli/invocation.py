"""What one run of the command carries: its name, its options, and the settings once a verb asks for them."""

import os
from functools import cached_property
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rollout.settings import Color, Loaded, Settings


class Invocation:
    """One run of the `rollout` command."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    @cached_property
    def loaded(self) -> "Loaded[Settings]":
        """The settings and their sources; reading them also starts the logs."""
        from rollout import logs
        from rollout.settings import Settings, load

        loaded = load(Settings, self.options)
        logs.configure(
            level=loaded.values.log_level,
            log_format=loaded.values.log_format,
            correlation_id=loaded.values.correlation_id or self.correlation_id,
        )
        return loaded

    @property
    def settings(self) -> "Settings":
        """The settings."""
        return self.loaded.values

    @cached_property
    def correlation_id(self) -> str:
        """The name of this run: handed down by the caller, or drawn."""
        from rollout.logs import new_correlation_id
        from rollout.settings import CORRELATION_ID, variable

        inherited = os.environ.get(variable("correlation_id"), "")
        return inherited if CORRELATION_ID.fullmatch(inherited) else new_correlation_id()

    @property
    def color(self) -> "Color":
        """When to colour."""
        return self.settings.color


pass_invocation = click.make_pass_decorator(Invocation)
