"""How settings are read: from the environment and a file, checked, and each mistake with where it is.

A command-line option wins over the environment, the environment over the settings file, the file over the
default. What is unknown is refused with its nearest match; what is secret is never shown.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from rollout.errors import Problem, WrongSettings, nearest
from rollout.settings.settings import PREFIX, Settings

MAXIMUM_FILE_BYTES = 256 * 1024
MAXIMUM_SHOWN_CHARACTERS = 60
LISTED = "`rollout settings` lists every setting"

# Kubernetes gives every container such variables for each Service of its namespace, also one named rollout.
SERVICE_LINK = re.compile(
    r"ROLLOUT(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)

# In an address, before its host: somebody's name and password.
_PASSWORD = re.compile(r"//[^/\s]*@")

# How pydantic-settings names the field of a value that is no JSON.
_FIELD = re.compile(r'field "(?P<name>[a-z_]+)"')

# What the controller tells an action of its run, so that an action may call `rollout` itself.
ACTION_VARIABLES = frozenset(
    f"{PREFIX}{name}"
    for name in ("POLICY", "UID", "REVISION", "ACTION", "VERSION", "URL", "BASELINE_VERSION")
)


class Source(StrEnum):
    """Where a value came from; each wins over those before it."""

    DEFAULT = "default"
    FILE = "settings file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


Kind = TypeVar("Kind", bound=Settings)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Kind]):
    """Settings that hold, and where each value came from."""

    values: Kind
    sources: Mapping[str, Source]


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def is_secret(kind: type[Settings], name: str) -> bool:
    """Say whether a setting's value may never be shown."""
    field = kind.model_fields.get(name)
    return field is not None and "SecretStr" in str(field.annotation)


def load(kind: type[Kind], options: Mapping[str, object]) -> Loaded[Kind]:
    """Read, merge and check; `options` are those given on the command line.

    Raises `WrongSettings` with one problem for each thing that is wrong.
    """
    environment = _read_environment(kind)
    chosen = options.get("settings_file", environment.get("settings_file"))
    file = Path(str(chosen)).expanduser() if chosen else None
    layers: dict[Source, Mapping[str, object]] = {
        Source.FILE: _read_file(file) if file else {},
        Source.ENVIRONMENT: environment,
        Source.COMMAND_LINE: options,
    }
    merged = {name: value for layer in layers.values() for name, value in layer.items()}
    given = {name: source for source, layer in layers.items() for name in layer}
    try:
        values = kind.model_validate(merged)
    except ValidationError as error:
        problems = [_problem(kind, detail, given, file) for detail in error.errors(include_url=False)]
        raise WrongSettings(*problems) from None
    return Loaded(values, {name: given.get(name, Source.DEFAULT) for name in kind.model_fields})


def _read_environment(kind: type[Settings]) -> dict[str, object]:
    unknown = list(_unknown_variables(kind))
    if unknown:
        raise WrongSettings(*unknown)
    try:
        return EnvSettingsSource(kind)()
    except SettingsError as error:
        named = _FIELD.search(str(error))
        where = variable(named["name"]) if named else "the environment"
        raise WrongSettings(
            Problem(where, "not JSON", f'write it as: {{"name": "/a/file"}}; {LISTED}')
        ) from None


def _unknown_variables(kind: type[Settings]) -> Iterator[Problem]:
    known = {variable(name) for name in kind.model_fields} | ACTION_VARIABLES
    for name in sorted(os.environ):
        folded = name.upper()
        if folded.startswith(PREFIX) and folded not in known and not SERVICE_LINK.fullmatch(folded):
            guess = nearest(folded.removeprefix(PREFIX), kind.model_fields)
            remedy = f"did you mean '{variable(guess)}'?" if guess else f"unset it; {LISTED}"
            yield Problem(name, "no such setting", remedy)


def _read_file(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAXIMUM_FILE_BYTES + 1)
        if len(content) > MAXIMUM_FILE_BYTES:
            raise WrongSettings(
                Problem(str(file), "larger than 256 KiB", "name a settings file, not another one")
            )
        found = tomllib.loads(content.decode())
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise WrongSettings(Problem(str(file), what, "name a settings file that can be read")) from None
    except UnicodeDecodeError:
        raise WrongSettings(Problem(str(file), "not UTF-8 text", "save it as UTF-8")) from None
    except tomllib.TOMLDecodeError as error:
        what = f"not TOML: {str(error)[:1].lower()}{str(error)[1:]}"
        raise WrongSettings(Problem(str(file), what, 'write it as: log_level = "info"')) from None
    if "settings_file" in found:
        where = f"{file}: settings_file"
        raise WrongSettings(Problem(where, "a settings file cannot name another one", "remove this line"))
    return found


def _problem(
    kind: type[Settings], detail: ErrorDetails, given: Mapping[str, Source], file: Path | None
) -> Problem:
    name = str(detail["loc"][0])
    where = _place(name, given.get(name, Source.DEFAULT), file)
    if detail["type"] == "extra_forbidden":
        guess = nearest(name, kind.model_fields)
        return Problem(
            where, "no such setting", f"did you mean '{guess}'?" if guess else f"remove it; {LISTED}"
        )
    got = "" if is_secret(kind, name) else f" (got {_shown(detail['input'])})"
    context = detail.get("ctx", {})
    if detail["type"] == "enum":
        expected = str(context["expected"]).replace("'", "")
        guess = nearest(str(detail["input"]), expected.replace(" or ", ", ").split(", "))
        remedy = f"did you mean '{guess}'?" if guess else "choose one of these"
        return Problem(where, f"must be {expected}{got}", remedy)
    what = str(context["error"]) if "error" in context else _lowered(detail["msg"])
    return Problem(where, f"{what}{got}", "`rollout settings` describes it")


def _place(name: str, source: Source, file: Path | None) -> str:
    match source:
        case Source.FILE:
            return f"{file}: {name}"
        case Source.ENVIRONMENT:
            return variable(name)
        case Source.COMMAND_LINE:
            return "--settings" if name == "settings_file" else f"--{name.replace('_', '-')}"
        case Source.DEFAULT:
            return name


def _shown(value: object) -> str:
    text = _PASSWORD.sub("//…@", repr(value))
    return text if len(text) <= MAXIMUM_SHOWN_CHARACTERS else f"{text[:MAXIMUM_SHOWN_CHARACTERS]}…"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
