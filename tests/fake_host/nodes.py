"""The host's registry of nodes."""

NODE_CLASS_MAPPINGS = {}
