"""Tests of `rollout.stats`, one file per family, and the properties that hold for all of them."""
