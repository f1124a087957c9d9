"""The traps, one module per family; `registry` finds every module here by its `TRAPS`."""
