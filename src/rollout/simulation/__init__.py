"""A policy lived through in seconds: the same judge, decide and evolve, on evidence drawn look by look."""
