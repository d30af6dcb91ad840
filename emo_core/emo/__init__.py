"""EMO, Emote Portrait Alive (arXiv 2402.17485): its network, sampling, weights and training."""
