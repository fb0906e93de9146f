"""The agent beside the GPUs: samples them, signs batches, sends them to every reporter."""
