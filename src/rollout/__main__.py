"""Start the `rollout` command: `rollout`, or `python -m rollout`."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rollout.agent.terms import Terms
    from rollout.cli.invocation import ControlAsked, ProxyAsked, RunningControl, RunningHouse, RunningProxy
    from rollout.domain.judge import Patience

INTERRUPTED = 130  # 128 + SIGINT, as shells word it


def _open_house(
    folder: "Path",
    *,
    proxy_port: int,
    control_port: int,
    patience: "Patience",
    terms: "Terms | None" = None,
) -> "AbstractContextManager[RunningHouse]":
    """Open the whole house; only now are its parts imported."""
    from rollout.wiring.house import open_house  # noqa: PLC0415

    return open_house(
        folder,
        proxy_port=proxy_port,
        control_port=control_port,
        patience=patience,
        terms=terms,
    )


def _open_proxy(asked: "ProxyAsked") -> "AbstractContextManager[RunningProxy]":
    """Open a node; only now are its parts imported."""
    from rollout.wiring.proxy import open_proxy  # noqa: PLC0415

    return open_proxy(asked)


def _open_control(asked: "ControlAsked") -> "AbstractContextManager[RunningControl]":
    """Open a control plane; only now are its parts imported."""
    from rollout.wiring.lone_control import open_lone_control  # noqa: PLC0415

    return open_lone_control(asked)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        # Imported here, so that an interrupt during the imports shows no traceback either.
        from rollout.cli.run import run  # noqa: PLC0415

        code = run(sys.argv[1:], _open_house, _open_proxy, _open_control)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
