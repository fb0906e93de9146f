"""Several real processes at once, on a real chain and a real database."""
