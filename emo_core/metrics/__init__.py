"""Metrics of talking videos: lip sync, similarity to a true video, quality of one video."""
