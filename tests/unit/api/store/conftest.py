"""A real PostgreSQL, and empty tables for each test."""

from tests.support.database import database, migrated, postgres, url

__all__ = ["database", "migrated", "postgres", "url"]
