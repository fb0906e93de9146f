"""The commands themselves, as users run them."""
