"""Parts of ComfyUI that every node needs."""
