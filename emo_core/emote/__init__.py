"""EMOTE's first stage: the sound of a voice becomes the motion of a face."""
