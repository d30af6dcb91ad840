"""EMO for ComfyUI: a portrait, a voice, a talking video."""
