"""The whole command on real parts, as a user runs it."""
