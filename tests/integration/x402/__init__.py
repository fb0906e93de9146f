"""Payments of x402 on a chain that official clients know."""
