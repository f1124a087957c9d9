"""What one run of the command carries: its name, its options, and the settings once a verb asks for them."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rollout.agent.alone import Files
    from rollout.agent.terms import Terms
    from rollout.domain.judge import Patience
    from rollout.settings.reading import Loaded
    from rollout.settings.settings import Color, Settings


class HouseOpener(Protocol):
    """Opens a whole house in this process; the floor above the command hands it down."""

    def __call__(
        self,
        folder: "Path",
        *,
        proxy_port: int,
        control_port: int,
        patience: "Patience",
        terms: "Terms | None" = None,
    ) -> "AbstractContextManager[RunningHouse]":
        """Return a context in which proxy, control plane and recorders run."""


@dataclass(frozen=True, slots=True)
class ProxyAsked:
    """A node as the command line asks for it: it follows files, or a control plane when there are none."""

    name: str
    folder: "Path"
    host: str
    port: int
    agent_port: int
    control_url: str
    token: str | None
    files: "Files | None"
    terms: "Terms"


@dataclass(frozen=True, slots=True)
class ControlAsked:
    """A control plane as the command line asks for it."""

    folder: "Path"
    lake: "Path"
    database: "Path | str" = field(repr=False)
    host: str
    port: int
    url: str
    """What nodes and other control planes are told to ask."""
    patience: "Patience"
    terms: "Terms"


class RunningControl(Protocol):
    """A control plane that runs."""

    @property
    def leads(self) -> bool:
        """Whether it leads from the beginning."""


class ControlOpener(Protocol):
    """Opens a control plane in this process."""

    def __call__(self, asked: ControlAsked) -> "AbstractContextManager[RunningControl]":
        """Return a context in which it leads, or stands by."""


class RunningProxy(Protocol):
    """A node that runs."""

    def drain(self) -> None:
        """Ask clients to leave as they come."""


class RunningHouse(RunningProxy, Protocol):
    """A house that runs."""

    @property
    def going_on(self) -> "Sequence[str]":
        """What had begun before and is not over, with where it stands."""

    def is_left(self) -> bool:
        """Return whether no client is connected any more."""


class ProxyOpener(Protocol):
    """Opens a node in this process."""

    def __call__(self, asked: ProxyAsked) -> "AbstractContextManager[RunningProxy]":
        """Return a context in which Envoy and its node run."""


class Invocation:
    """One run of the `rollout` command."""

    def __init__(
        self,
        open_house: HouseOpener | None = None,
        open_proxy: ProxyOpener | None = None,
        open_control: ControlOpener | None = None,
    ) -> None:
        self.options: dict[str, object] = {}
        self._open_house, self._open_proxy, self._open_control = open_house, open_proxy, open_control

    @property
    def open_control(self) -> ControlOpener:
        """What opens a control plane, for the verb that runs one."""
        if self._open_control is None:
            raise RuntimeError("this command was started without a control plane to open")
        return self._open_control

    @property
    def open_proxy(self) -> ProxyOpener:
        """What opens a node, for the verb that runs one."""
        if self._open_proxy is None:
            raise RuntimeError("this command was started without a proxy to open")
        return self._open_proxy

    @property
    def open_house(self) -> HouseOpener:
        """What opens a house, for the verbs that run one."""
        if self._open_house is None:
            raise RuntimeError("this command was started without a house to open")
        return self._open_house

    @cached_property
    def loaded(self) -> "Loaded[Settings]":
        """The settings and their sources; reading them also starts the logs."""
        from rollout import logs
        from rollout.settings.reading import load
        from rollout.settings.settings import Settings

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
        from rollout.settings.reading import variable
        from rollout.settings.settings import CORRELATION_ID

        inherited = os.environ.get(variable("correlation_id"), "")
        return inherited if CORRELATION_ID.fullmatch(inherited) else new_correlation_id()

    @property
    def color(self) -> "Color":
        """When to colour."""
        return self.settings.color


pass_invocation = click.make_pass_decorator(Invocation)
