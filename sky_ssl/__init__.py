"""Self-supervised learning on multi-band sky surveys: from FITS tiles to embeddings and candidates."""

__version__ = "0.1.0"
