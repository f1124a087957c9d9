"""Everything that can be set: names, defaults, limits and meanings, from which docs are made."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "ROLLOUT_"
HIDDEN = "********"

CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class LogLevel(StrEnum):
    """How much is logged: this level and everything more serious."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line looks."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class Output(StrEnum):
    """How a verb prints its table."""

    TEXT = "text"
    JSON = "json"


class Color(StrEnum):
    """When the output is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def _fold(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _check_correlation_id(value: str) -> str:
    if not CORRELATION_ID.fullmatch(value):
        raise ValueError("must be 1 to 128 letters, digits and the signs . _ : -")
    return value


def _check_server_address(value: str) -> str:
    parts = urlsplit(value)
    is_plain = parts.username is None and parts.password is None and not parts.query and not parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain or not value.isprintable():
        raise ValueError("must be http:// or https://, a host, and no user, password, query or fragment")
    return value.rstrip("/")


ServerAddress = Annotated[str, AfterValidator(_check_server_address)]
Folded = BeforeValidator(_fold)
CorrelationId = Annotated[str, AfterValidator(_check_correlation_id)]


class Settings(BaseSettings):
    """What can be set; `load` reads it and says where each value came from, made directly it has defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    settings_file: Path | None = Field(
        None, description="A TOML file of settings; its keys are the names in this table."
    )
    output: Annotated[Output, Folded] = Field(
        Output.TEXT, description="How a verb prints its table when `--output` is not given."
    )
    color: Annotated[Color, Folded] = Field(
        Color.AUTO,
        description="When output is coloured; `auto` means on a terminal, unless `NO_COLOR` is set.",
    )
    log_level: Annotated[LogLevel, Folded] = Field(
        LogLevel.WARNING,
        description="What is logged to standard error; `debug` includes the traceback of a defect.",
    )
    log_format: Annotated[LogFormat, Folded] = Field(
        LogFormat.AUTO,
        description="How a log line looks; `auto` means `console` on a terminal and `json` elsewhere.",
    )
    correlation_id: CorrelationId | None = Field(
        None, description="Names this run in every log line; drawn anew when no caller hands one down."
    )
    details_folder: Path = Field(
        Path("~/.local/state/rollout"),
        description="Where the details of an unexpected problem are written; the newest 20 are kept.",
    )

    control_url: str = Field(
        "http://127.0.0.1:8640",
        description="The control plane that verbs about experiments ask, such as `rollout status`; several "
        "addresses, of which one leads and others stand by, are separated by commas.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="The database of `rollout control`: `postgresql://USER@HOST/NAME`, or a file for SQLite; "
        "unset means `control.db` in its folder.",
    )
    database_password_file: Path | None = Field(
        None, description="The file that holds the database's password, so that no address need hold it."
    )
    control_timeout_s: float = Field(
        10.0, gt=0, le=600, description="How long a verb waits for each answer of the control plane."
    )
    token: SecretStr | None = Field(
        None, description="The token that the control plane asks for; it wins over `token_file`."
    )
    token_file: Path = Field(
        Path("~/.local/state/rollout/token"),
        description="The file that holds the token; the default one may be absent.",
    )
    app_tokens_file: Path | None = Field(
        None,
        description="A TOML file of applications that may report outcomes, each with its token's SHA-256; "
        "it is read again when it changes.",
    )
    outcome_rate: float = Field(
        20_000.0, gt=0, le=1e9, description="How many outcomes a second an application may report."
    )
    outcome_burst: float = Field(
        200_000.0, ge=1, le=1e9, description="How many it may report at once, after a silence."
    )
    prometheus_url: ServerAddress | None = Field(
        None,
        description="The Prometheus server that policies poll, such as `https://prometheus.example.org`; "
        "unset, a policy that polls is refused at its start.",
    )
    prometheus_timeout_s: float = Field(
        5.0,
        ge=0.1,
        le=60,
        description="How long everything together may take that one experiment asks it at one time.",
    )
    prometheus_token: SecretStr | None = Field(
        None, description="The bearer token that it asks for; it wins over `prometheus_token_file`."
    )
    prometheus_token_file: Path | None = Field(
        None, description="The file that holds the token; it is read at every asking."
    )
    prometheus_headers: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Headers that it is sent, such as `X-Scope-OrgID`; they count as secrets.",
    )
    prometheus_ca_file: Path | None = Field(
        None,
        description="The PEM file that vouches for its `https` address; unset means this machine's own.",
    )
    ca_files: dict[str, Path] = Field(
        default_factory=dict,
        description="PEM files of the certificates that vouch for model servers, by the name that a policy's "
        "`tls.ca` says.",
    )
    public_ca_file: Path | None = Field(
        None,
        description="The PEM file that vouches for an `https` address whose policy names no `tls.ca`; unset "
        "means this machine's own.",
    )
    credential_files: dict[str, Path] = Field(
        default_factory=dict,
        description="Files that each hold what a version is sent as `authorization`, by the name that a "
        "policy's `credential` says; they are read again when they change.",
    )
    receivers_file: Path | None = Field(
        None,
        description="A TOML file of receivers, by the name that a policy's `notify.to` says, each with its "
        "address and keys; it is read again when it changes.",
    )
    public_url: ServerAddress | None = Field(
        None,
        description="Where people reach the control plane, such as `https://rollout.example.org`; messages "
        "link there.",
    )
    tls_certificate_file: Path | None = Field(
        None,
        description="The PEM file of the certificate with which `up`, `control` and `proxy` listen for "
        "verbs, nodes and outcomes; it is read again when it changes. Unset means plain HTTP.",
    )
    tls_key_file: Path | None = Field(
        None, description="The PEM file of that certificate's key, without a password."
    )
    control_ca_file: Path | None = Field(
        None,
        description="The PEM file that vouches for a control plane at an `https` address, for verbs and "
        "nodes; unset means this machine's own.",
    )
    open_metrics: bool = Field(
        default=False, description="Whether the control plane's `/metrics` is answered without a token."
    )
    keep_exposures_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="How many days recorded requests are kept, and longer while a running experiment needs "
        "them; unset means for ever.",
    )
    keep_outcomes_days: int | None = Field(
        None, ge=1, le=36_500, description="The same for outcomes; unset means for ever."
    )
    counted_rows_limit: int = Field(
        2_000_000,
        ge=10_000,
        le=100_000_000,
        description="How many rows each table of the fast counts may hold (units with an error, errors of an "
        "hour, unit-windows of an hour, units before it), at about 100 bytes of memory each; beyond it new "
        "ones are left out, and metrics that need them hold.",
    )
    evidence_memory_mib: int = Field(
        1024,
        ge=64,
        le=2**20,
        description="How many MiB the accounts of all units may take, at about 170 bytes for each unit and "
        "32 for each outcome; beyond it experiments hold and say so.",
    )
    unsent_limit_mib: int = Field(
        4096,
        ge=64,
        le=2**30,
        description="How many MiB of requests may wait on a node while the control plane is away; beyond it "
        "the newest are dropped and counted, and experiments that need them hold.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (pydantic-settings passes these by name)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments only: `load` asks the sources itself, to know which one gave each value."""
        return (init_settings,)
