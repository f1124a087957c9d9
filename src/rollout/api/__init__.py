"""The doors: HTTP routes that parse, call one function, and answer."""
