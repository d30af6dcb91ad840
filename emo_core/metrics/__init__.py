"""Measurements of talking videos."""
