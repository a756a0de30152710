"""Self-supervised learning on sky surveys: from FITS tiles to embeddings and candidates."""

__version__ = "0.1.0"
