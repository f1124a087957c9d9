"""Start the `rollout` command: `rollout`, or `python -m rollout`."""

import sys

INTERRUPTED = 130  # 128 + SIGINT, as shells word it


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        # Imported here, so that an interrupt during the imports shows no traceback either.
        from rollout.cli.run import run  # noqa: PLC0415

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
