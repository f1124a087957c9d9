"""Faults under load: real processes are broken while users call, and what was promised is checked exactly."""
