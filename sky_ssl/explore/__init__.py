"""From embeddings to candidates: neighbours, maps, clusters, labels, selections, anomalies."""
