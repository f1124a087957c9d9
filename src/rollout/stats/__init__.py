"""Anytime-valid statistics: numbers in, numbers out; one file per family, and nothing here reads a clock."""
