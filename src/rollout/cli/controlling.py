"""`rollout control`: a control plane without a node, one of several that share a database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import ControlAsked, Invocation, pass_invocation
from rollout.cli.output import write
from rollout.cli.patience import takes_patience
from rollout.cli.root import epilog
from rollout.errors import Problem, WrongSettings, WrongUsage

if TYPE_CHECKING:
    from rollout.domain.judge import Patience
    from rollout.settings.settings import Settings

HOME = "~/.local/state/rollout-control"
MAXIMUM_PASSWORD_BYTES = 4096
SCHEME = "postgresql"


@click.command(
    "control",
    epilog=epilog(
        {
            "rollout control": "one control plane, with SQLite",
            "rollout control --database postgresql://rollout@db/rollout": "one of several: one leads",
        }
    ),
)
@click.option(
    "--database",
    metavar="URL",
    help="postgresql://USER@HOST/NAME, or a file for SQLite.  [default: the setting `database_url`]",
)
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(HOME),
    show_default=True,
    help="The folder that all control planes of one database share.",
)
@click.option(
    "--lake",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of recorded requests and outcomes, shared as well.  [default: `lake` in that folder]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8640,
    show_default=True,
    help="For verbs, proxies, /healthz, /readyz.",
)
@click.option("--url", metavar="URL", help="What others are told to ask.  [default: http://HOST:PORT]")
@takes_patience
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    database: str | None,
    folder: Path,
    lake: Path | None,
    host: str,
    port: int,
    url: str | None,
    patience: "Patience",
) -> None:
    """Decide, record and publish for proxies elsewhere, until interrupted.

    Of several that share a PostgreSQL database one leads. The others stand by, and one of them takes over
    within seconds when it ends. Actions of policies run where the leader runs, as whoever started it.
    """
    from rollout.cli.terms import terms_in
    from rollout.cli.up import signals

    settings, home = invocation.settings, folder.expanduser()
    shown = f"[{host}]" if ":" in host else host
    asked = ControlAsked(
        folder=home,
        lake=home / "lake" if lake is None else lake.expanduser(),
        database=database_of(database, settings, home),
        host=host,
        port=port,
        url=url or f"http://{shown}:{port}",
        patience=patience,
        terms=terms_in(settings),
    )
    with invocation.open_control(asked) as control:
        write(f"control: {asked.url}   token in {home / 'token'}\n")
        write("it leads\n" if control.leads else "another one leads: this one stands by\n")
        write("stop with Ctrl-C\n")
        signals()[0].wait()
    write("stopped\n")


def database_of(given: str | None, settings: "Settings", home: Path) -> "Path | str":
    """Return where the database is, with the password of its file; an option that holds one is refused."""
    if given is not None and "@" in given and ":" in given.partition("://")[2].rpartition("@")[0]:
        what = "--database holds a password, which every user of this machine can see"
        remedy = "name the file that holds it in ROLLOUT_DATABASE_PASSWORD_FILE"
        raise WrongUsage(Problem("rollout control", what, remedy))
    address = given or (settings.database_url.get_secret_value() if settings.database_url else "")
    if not address:
        return home / "control.db"
    if not address.startswith(SCHEME):
        return Path(address).expanduser() if "://" not in address else address
    scheme, _, rest = address.partition("://")
    driver = f"{SCHEME}+psycopg" if scheme == SCHEME else scheme
    if settings.database_password_file is None:
        return f"{driver}://{rest}"
    return f"{driver}://{_with_password(rest, settings.database_password_file.expanduser())}"


def _with_password(rest: str, file: Path) -> str:
    """Return an address without its scheme, with what stands in the file as its password."""
    from urllib.parse import quote

    try:
        with file.open("rb") as stream:
            password = stream.read(MAXIMUM_PASSWORD_BYTES + 1).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        what = "it cannot be read as text" if isinstance(error, ValueError) else str(error.strerror).lower()
        raise WrongSettings(
            Problem(str(file), what, "name the password's file, readable for this user")
        ) from None
    user, at, place = rest.rpartition("@")
    is_one_line = bool(password) and password.isprintable() and len(password) <= MAXIMUM_PASSWORD_BYTES
    if not at or ":" in user or not is_one_line:
        what = "the address needs a user without a password, and the file a password of one line"
        raise WrongSettings(Problem("database_url", what, f"write {SCHEME}://USER@HOST/NAME"))
    return f"{user}:{quote(password, safe='')}@{place}"
