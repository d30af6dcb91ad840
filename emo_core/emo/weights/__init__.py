"""Checkpoint files, and their import from public weights."""
