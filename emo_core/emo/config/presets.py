"""Named shapes."""

from dataclasses import replace

from .model import EMOConfig
from .parts import AudioConfig, BlockConfig, DiffusionConfig, SpeedConfig, TemporalConfig, UNetConfig, VAEConfig

SD15 = EMOConfig(name="sd15")
"""The paper's size on Stable Diffusion 1.5: 512 x 512, f=12, n=4, m=2."""

MINI = EMOConfig(
    name="emo-mini",
    image_size=256,
    fps=25.0,
    face_share=0.54,
    face_centre=(0.5, 0.57),
    locator_widths=(16, 32, 64),
    vae=VAEConfig(
        kind="tiny",
        widths=(80, 80),
        encoder_blocks=(0, 3),
        decoder_blocks=(3, 1),
        latent_channels=8,
        patch=4,
        fold=2,
        scaling_factor=1.0,
    ),
    unet=UNetConfig(
        latent_channels=32, widths=(64, 128), attention=(False, True), layers_per_block=1, heads=2, groups=32
    ),
    audio=AudioConfig(layers=4, width=128, tokens=8, token_width=128, hidden=256),
    speed=SpeedConfig(centres=(0.0, 0.08, 0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64), radii=(0.08,) * 9, width=64),
    temporal=TemporalConfig(first_clip="reference"),
    diffusion=DiffusionConfig(prediction="v_prediction", zero_terminal_snr=True, shared_noise=0.8, audio_scale=2.0),
)
"""The embedded default: 256 x 256, small enough for two CPU cores."""

TINY = replace(
    MINI,
    name="tiny",
    image_size=64,
    locator_widths=(8, 16),
    vae=replace(MINI.vae, widths=(16, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), latent_channels=4, fold=1),
    unet=UNetConfig(widths=(32, 64), attention=(True, False), layers_per_block=1, heads=4, groups=8),
    audio=AudioConfig(layers=2, width=16, tokens=4, token_width=24, hidden=32),
    temporal=TemporalConfig(frames=4, motion_frames=2, max_positions=16),
    speed=SpeedConfig(centres=(0.0, 0.5, 1.0), radii=(0.5, 0.5, 0.5), width=16),
)
"""For tests: real modules, random weights, milliseconds."""

HALLO = EMOConfig(
    name="hallo",
    fps=25.0,
    locator_channels=3,
    block=BlockConfig(reference="concat", tap="norm1", audio="regions", identity=True),
    temporal=TemporalConfig(frames=16, motion_frames=2, everywhere=False, first_clip="reference"),
    speed=SpeedConfig(layers=False),
    diffusion=DiffusionConfig(
        prediction="v_prediction", beta_schedule="linear", zero_terminal_snr=True, guidance="joint", audio_scale=3.5
    ),
)
"""Hallo and Hallo2 (`net.pth`): 512 x 512, f=16, n=2."""

PRESETS = {"tiny": TINY, "mini": MINI, "sd15": SD15, "hallo": HALLO}
