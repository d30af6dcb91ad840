"""EMOModelLoader: a checkpoint's name -> the model and its VAE."""

from comfy_api.latest import io

from ..host.inputs import file_state
from ..host.schema import schema
from .folders import BUILT_IN, checkpoint_path, checkpoints
from .sockets import CATEGORY, EmoModel


class EMOModelLoader(io.ComfyNode):
    """Load a checkpoint."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOModelLoader",
            display_name="EMO Model Loader",
            description=(
                "Loads an EMO checkpoint: the network, its audio encoder and its VAE. emo-mini and emo-mini-few come with "
                "the pack and need no download. Other checkpoints go into models/emo."
            ),
            search_aliases=["emote portrait alive", "talking head", "lip sync", "load emo"],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=checkpoints(),
                    default=BUILT_IN,
                    tooltip=(
                        "Built in: emo-mini (256 x 256, 25 fps) draws from the portrait alone and knows one face well; emo-mini-few repairs "
                        "the mouths in frames of Animate Portrait in 1 step, for any face. Others: .safetensors files in models/emo."
                    ),
                )
            ],
            outputs=[
                EmoModel.Output("model", display_name="model", tooltip="To all other EMO nodes."),
                io.Vae.Output(
                    "vae",
                    display_name="vae",
                    tooltip="The checkpoint's VAE. If it contains none, use Load VAE with a Stable Diffusion 1.5 VAE.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = None) -> bool | str:
        """Report a missing file before anything runs. None is still to come from another node."""
        if checkpoint is None or checkpoint in checkpoints():
            return True
        return f"no checkpoint {checkpoint!r} in models/emo; put the file there, or choose one of {checkpoints()}"

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None) -> tuple[str, int]:
        """Path and time of change, so that a new file of the same name is loaded again."""
        return ("", 0) if checkpoint is None else file_state(checkpoint_path(checkpoint))

    @classmethod
    def execute(cls, checkpoint: str) -> io.NodeOutput:
        from .model import load_model, missing_vae

        model = load_model(checkpoint_path(checkpoint))
        return io.NodeOutput(model, model.vae or missing_vae(model))
