"""The control databases of every kind, for all tests here."""

from tests.store.databases import address, database, postgres

__all__ = ["address", "database", "postgres"]
