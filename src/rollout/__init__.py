"""Decide whether a new version of a machine-learning model may replace the old one."""

__version__ = "0.1.0"
