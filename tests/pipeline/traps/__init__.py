"""The traps as requests and outcomes; each module says `TRAPS`."""
