"""`rackstream-ngram`: a small language model behind the protocol of OpenAI and vLLM."""
