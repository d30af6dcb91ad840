"""The host's VAE, which serves the full-size autoencoder."""


class VAE:
    def __init__(self, sd):
        self.sd = sd
