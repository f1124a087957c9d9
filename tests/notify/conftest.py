"""The control databases of every kind, for all tests here."""

from tests.store.databases import address, database

__all__ = ["address", "database"]
