"""The host's VAE, for the full-size autoencoder only."""


class VAE:
    def __init__(self, sd):
        self.sd = sd
