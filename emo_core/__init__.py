"""EMO in plain PyTorch: one portrait and one voice in, one talking video out."""
