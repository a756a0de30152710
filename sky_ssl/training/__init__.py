"""Pre-training: configuration, data, checkpoints, logs and monitoring."""
