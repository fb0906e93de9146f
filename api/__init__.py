"""Rackstream's Python services: agents beside the GPUs, reporters, and what they share."""
