"""Theorems on the money code, proved by halmos: see the README."""
