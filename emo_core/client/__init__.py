"""Queue workflows on ComfyUI servers, without a browser."""
