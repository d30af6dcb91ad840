"""FaceLocatorMask: find the face, cut out the square that the model sees, draw where the face may be."""

from typing import Any

from comfy_api.latest import io, ui

from ..host.menus import chosen, one_of
from ..host.schema import EmoCrop, EmoFace, EmoModel, schema
from .folders import embedding_path, embeddings

DETECTORS = ["auto", "mediapipe", "built-in", "none"]
REGIONS = ["face", "whole picture"]
COMPUTED, UNKNOWN = "auto", "none"


class FaceLocatorMask(io.ComfyNode):
    """Frame the face and draw its region."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLocatorMask",
            display_name="Face Locator Mask (EMO)",
            description=(
                "Finds the face in a picture, cuts out the square that the model was trained to see, and draws the face "
                "region: where the face may be in the video. Several pictures (frames) get the union of their faces."
            ),
            search_aliases=["face crop", "face detect", "face region", "emo crop"],
            inputs=[
                EmoModel.Input("model", tooltip="From EMO Model Loader: it says how faces are framed, and how large."),
                io.Image.Input("image", tooltip="The portrait, or any photo with a face."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "White where the face is: used instead of a detector. A black one counts as none. Load Image's mask is "
                        "that, if the face was painted in the mask editor; of a transparent picture it is the background!"
                    ),
                ),
                io.Float.Input(
                    "expand",
                    default=1.1,
                    min=0.1,
                    max=10.0,
                    step=0.05,
                    tooltip="Region over face box: 1.1 is usual, 1.5 lets the head move more. A `mask` is not expanded.",
                ),
                io.Int.Input(
                    "face_index",
                    default=0,
                    min=0,
                    max=15,
                    tooltip="Which face of several: 0 is the largest, 1 the next. Of a film's frames, in the first; it is followed from there.",
                ),
                io.Combo.Input(
                    "detector",
                    options=DETECTORS,
                    default="auto",
                    tooltip=(
                        "auto: MediaPipe where it is installed, else the built-in face finder. none: the largest square in "
                        "the middle, for portraits that are cropped already."
                    ),
                ),
                io.Combo.Input(
                    "region",
                    options=REGIONS,
                    default="face",
                    tooltip="whole picture: an all-white mask, so the face may go anywhere.",
                ),
                *(
                    io.Float.Input(
                        f"{name}_weight",
                        default=1.0,
                        min=0.0,
                        max=3.0,
                        step=0.05,
                        tooltip=f"How strongly the voice moves {what}, for models that tell head, face and lips apart (Hallo).",
                    )
                    for name, what in (("pose", "the head"), ("face", "the face"), ("lip", "the lips"))
                ),
                io.Combo.Input(
                    "face_embedding",
                    options=[COMPUTED, UNKNOWN, *embeddings()],
                    default=COMPUTED,
                    optional=True,
                    tooltip=(
                        "Whose face it is, for models that read it (Hallo). auto: by insightface, if you have it and its "
                        "antelopev2. Or a .npy of yours in the input folder."
                    ),
                ),
            ],
            outputs=[
                io.Mask.Output("region_mask", display_name="mask", tooltip="The face region in the cropped picture."),
                io.Image.Output(
                    "crop_image", display_name="crop", tooltip="The square that the model sees: to VAE Encode."
                ),
                EmoCrop.Output("emo_crop", display_name="emo_crop", tooltip="Where the square was: to EMO Paste Back."),
                EmoFace.Output(
                    "emo_face",
                    display_name="emo_face",
                    tooltip="Where head, face and lips are, and whose: to EMO Sampler or Motion Frame Chainer. Hallo reads it, EMO does not.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(
        cls, detector: str | None = None, region: str | None = None, face_embedding: str | None = COMPUTED
    ) -> bool | str:
        """The host does not check menus of such nodes."""
        found = one_of("detector", detector, DETECTORS)
        found = one_of("region", region, REGIONS) if found is True else found
        known = [COMPUTED, UNKNOWN, *embeddings()]
        return one_of("face_embedding", face_embedding, known) if found is True else found

    @classmethod
    def fingerprint_inputs(cls, face_embedding: str | None = COMPUTED, **_: Any) -> int:
        """An embedding that was saved anew under the same name is another one."""
        named = face_embedding in embeddings()
        return embedding_path(face_embedding).stat().st_mtime_ns if named else 0

    @classmethod
    def execute(
        cls,
        model: Any,
        image: Any,
        expand: float,
        face_index: int,
        detector: str,
        region: str,
        pose_weight: float,
        face_weight: float,
        lip_weight: float,
        mask: Any = None,
        face_embedding: str = COMPUTED,
    ) -> io.NodeOutput:
        from .portrait import FaceRequest, locate

        whole = chosen("region", region, REGIONS) == "whole picture"
        weights = (pose_weight, face_weight, lip_weight)
        request = FaceRequest(
            expand, face_index, chosen("detector", detector, DETECTORS), whole, weights, _embedding(face_embedding)
        )
        found = locate(model.config, image, mask, request)
        preview = ui.PreviewImage(found.preview, cls=cls)
        return io.NodeOutput(found.mask, found.pictures, found.crop, found.details, ui=preview)


def _embedding(name: str) -> Any:
    if name == COMPUTED:
        return name
    return None if name == UNKNOWN else embedding_path(chosen("face_embedding", name, embeddings()))
