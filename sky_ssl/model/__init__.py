"""The network: scaling, masking, the Vision Transformer and masked image modelling."""
