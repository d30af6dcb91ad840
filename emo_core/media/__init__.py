"""Picture, sound and video files, in and out."""
