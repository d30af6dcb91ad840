"""Checkpoint files: one safetensors with its config inside, and the ways to build one from public weights."""
