"""Beside Envoy: what it logged and what applications report become segments on their way to the intake."""
