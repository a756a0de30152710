"""Statistics on plain arrays: linear probes and their metrics."""
