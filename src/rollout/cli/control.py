"""How a verb reaches the control plane: its address, token and patience, from the settings."""

import time
from typing import TYPE_CHECKING

from rollout.errors import Problem, WrongSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rollout.client.connection import Connection, Patience
    from rollout.client.control_plane import ControlPlane
    from rollout.client.outcomes import OutcomesDoor
    from rollout.settings.settings import Settings

MAXIMUM_TOKEN_BYTES = 4096


def control_plane(settings: "Settings") -> "ControlPlane":
    """Return the control plane that the settings name, not asked anything yet."""
    from rollout.client.connection import Patience
    from rollout.client.control_plane import ControlPlane

    return ControlPlane(connection(settings, Patience()))


def outcomes_door(
    settings: "Settings", patience: "Patience", sleep: "Callable[[float], None]" = time.sleep
) -> "OutcomesDoor":
    """Return the door for outcomes of the control plane that the settings name."""
    from rollout.client.outcomes import OutcomesDoor

    return OutcomesDoor(connection(settings, patience, sleep))


def connection(
    settings: "Settings", patience: "Patience", sleep: "Callable[[float], None]" = time.sleep
) -> "Connection":
    """Return the connection that the settings name; nothing is sent yet."""
    from rollout.cli.terms import trust_in
    from rollout.client.addresses import Addresses
    from rollout.client.connection import Connection

    return Connection(
        Addresses.of(settings.control_url, trust_in(settings)),
        token=token(settings),
        timeout_s=settings.control_timeout_s,
        sleep=sleep,
        patience=patience,
    )


def token(settings: "Settings") -> str | None:
    """Return the token as set, or from its file; none where the default file does not exist."""
    if settings.token is not None:
        return settings.token.get_secret_value()
    file = settings.token_file.expanduser()
    is_default = settings.token_file == type(settings).model_fields["token_file"].default
    return read_token(file, may_be_absent=is_default)


def read_token(file: "Path", *, may_be_absent: bool) -> str | None:
    """Return the one line of a token file; raise `WrongSettings` when it cannot be used."""
    if may_be_absent and not file.exists():
        return None
    try:
        with file.open("rb") as stream:
            content = stream.read(MAXIMUM_TOKEN_BYTES + 1)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        remedy = "name a file with the token in ROLLOUT_TOKEN_FILE"
        raise WrongSettings(Problem(str(file), what, remedy)) from None
    words = content.split()
    if len(words) != 1 or len(content) > MAXIMUM_TOKEN_BYTES or not words[0].isascii():
        what = "not a token file: it should hold one word"
        raise WrongSettings(Problem(str(file), what, "copy the control plane's token file again"))
    return words[0].decode()
