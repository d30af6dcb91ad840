"""EMOModelLoader: a checkpoint's name -> the model and its VAE."""

from comfy_api.latest import io

from ..host.schema import EmoModel, schema
from .folders import BUILT_IN, checkpoint_path, checkpoints


class EMOModelLoader(io.ComfyNode):
    """Open a checkpoint."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EMOModelLoader",
            display_name="EMO Model Loader",
            description=(
                "Opens an EMO checkpoint: the network, its audio encoder and its VAE. emo-mini and its few-step variant "
                "come with the pack and need no download; other checkpoints go into models/emo."
            ),
            search_aliases=["emote portrait alive", "talking head", "lip sync", "load emo"],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=checkpoints(),
                    default=BUILT_IN,
                    tooltip=(
                        "Built in: emo-mini (256 x 256, 25 fps), and emo-mini-few, which is distilled for 2 steps without "
                        "guidance: set steps to 0 for it, which is the checkpoint's own number. Others: .safetensors files in models/emo."
                    ),
                )
            ],
            outputs=[
                EmoModel.Output("model", display_name="model", tooltip="To every other EMO node."),
                io.Vae.Output(
                    "vae",
                    display_name="vae",
                    tooltip="The checkpoint's own VAE. Where it brings none, use Load VAE with one for SD 1.5.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = None) -> bool | str:
        """A name that is gone must be said before anything runs; None is one that another node will give."""
        if checkpoint is None or checkpoint in checkpoints():
            return True
        return f"no checkpoint {checkpoint!r} in models/emo; put the file there, or choose one of {checkpoints()}"

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None) -> tuple[str, int]:
        """A file that was exported anew under the same name is another model."""
        if checkpoint is None:
            return "", 0
        path = checkpoint_path(checkpoint)
        return str(path), path.stat().st_mtime_ns

    @classmethod
    def execute(cls, checkpoint: str) -> io.NodeOutput:
        from .model import load_model, missing_vae

        model = load_model(checkpoint_path(checkpoint))
        return io.NodeOutput(model, model.vae or missing_vae(model))
