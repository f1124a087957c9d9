"""Faults of whatever decides: leaders, standbys and their database, struck while runs are being decided."""
