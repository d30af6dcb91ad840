"""Parts that every node needs of ComfyUI. They know no model: nothing here imports a model package."""
