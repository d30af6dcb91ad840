"""The modules of the paper, one per file, under the paper's names."""
