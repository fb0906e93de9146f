"""A real PostgreSQL, and empty tables for each test."""

from tests.support.database import database, migrated, postgres

__all__ = ["database", "migrated", "postgres"]
