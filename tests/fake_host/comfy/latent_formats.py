"""Factors from latents to RGB."""


class SD15:
    latent_rgb_factors = ((0.35, 0.23, 0.32), (0.33, 0.5, 0.19), (-0.29, 0.18, 0.26), (-0.21, -0.26, -0.72))
