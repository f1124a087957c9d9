"""The `rollout` command: one file per verb family, hung on the group of `rollout.cli.root`."""
