"""The dashboard: a face on what `sky_ssl` computes."""
