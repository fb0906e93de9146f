"""Paying for inference: OpenAI's client, an agent, a wallet."""
