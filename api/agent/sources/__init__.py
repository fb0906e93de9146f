"""Where an agent's samples come from: NVML, a dcgm-exporter, or a recorded trace."""
