"""Command lines beside the package: benchmarks, demo assets, the training of emo-mini."""
