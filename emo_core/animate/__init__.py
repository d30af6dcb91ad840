"""The commands `animate`, one set of options for all models, and `emote`, motion with emotion from a voice."""
