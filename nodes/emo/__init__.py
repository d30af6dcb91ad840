"""The nodes of EMO."""
