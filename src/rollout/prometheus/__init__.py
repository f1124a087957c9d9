"""Metrics of a Prometheus server: what is asked of it, how, and what its answers come to."""
