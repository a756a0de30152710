"""Figures for print and for the documentation: arrays in, matplotlib figures out, one look."""
