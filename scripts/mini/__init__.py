"""How the shipped emo-mini was trained: prepare, voices, vae, audio, cache, diffusion, export."""
