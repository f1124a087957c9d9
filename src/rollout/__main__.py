"""Run the `rollout` command: `python -m rollout`."""


def main() -> None:
    """Run."""
