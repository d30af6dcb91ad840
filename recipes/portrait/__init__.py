"""Measure the portrait renderer."""
