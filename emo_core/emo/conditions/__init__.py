"""The conditions of a clip: reference, motion frames, audio, face region, speed, identity."""
