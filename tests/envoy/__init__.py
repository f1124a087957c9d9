"""Tests of the proxy, with a real Envoy and real servers."""
