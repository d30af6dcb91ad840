"""EMO for ComfyUI: one portrait and one voice become a talking video."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():  # noqa: ANN201 -- the type lives in the host
    """Hand ComfyUI the list of nodes; nothing is imported before it asks."""
    from .nodes import EmoExtension

    return EmoExtension()
