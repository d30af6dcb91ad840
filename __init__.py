"""EMO for ComfyUI: generates a talking video from a portrait and a voice."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():  # noqa: ANN201 -- the type belongs to the host
    """Return the extension to ComfyUI. Nothing else is imported until ComfyUI calls this."""
    from .nodes import NodePack

    return NodePack()
