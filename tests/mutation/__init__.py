"""Mutants of the money code, and whether the tests tell them from the original: see the README."""
