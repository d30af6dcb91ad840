"""Denoiser, schedules, guidance, clips: from conditions to latent frames of any length."""
