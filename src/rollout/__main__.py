"""Start the `rollout` command: `rollout`, or `python -m rollout`."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rollout.agent.names import Named
    from rollout.api.allowance import Reporting
    from rollout.cli.invocation import ProxyAsked, RunningProxy
    from rollout.domain.judge import Patience
    from rollout.lake.keeping import Keeping

INTERRUPTED = 130  # 128 + SIGINT, as shells word it


def _open_house(  # noqa: PLR0913 (each is one thing that a house is given)
    folder: "Path",
    *,
    proxy_port: int,
    control_port: int,
    patience: "Patience",
    reporting: "Reporting | None" = None,
    keeping: "Keeping | None" = None,
    named: "Named | None" = None,
) -> "AbstractContextManager[None]":
    """Open the whole house; only now are its parts imported."""
    from rollout.wiring.house import open_house  # noqa: PLC0415

    return open_house(
        folder,
        proxy_port=proxy_port,
        control_port=control_port,
        patience=patience,
        reporting=reporting,
        keeping=keeping,
        named=named,
    )


def _open_proxy(asked: "ProxyAsked") -> "AbstractContextManager[RunningProxy]":
    """Open a node; only now are its parts imported."""
    from rollout.wiring.proxy import open_proxy  # noqa: PLC0415

    return open_proxy(asked)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        # Imported here, so that an interrupt during the imports shows no traceback either.
        from rollout.cli.run import run  # noqa: PLC0415

        code = run(sys.argv[1:], _open_house, _open_proxy)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
