"""From a checkpoint and cutouts to a file of embeddings."""
