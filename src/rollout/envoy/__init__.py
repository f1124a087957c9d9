"""Envoy: frozen policies become its configuration, and the watched process acknowledges each version."""
