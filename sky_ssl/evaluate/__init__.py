"""Measuring what the embeddings can do, beside simple baselines."""
