"""The `evaluate` command: metrics of generated videos, and a report."""
