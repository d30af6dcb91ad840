"""FaceLocatorMask: find the face, cut out the model's square, draw the face region."""

from typing import Any

from comfy_api.latest import io, ui

from ..host.inputs import face_index_input, file_state, landmarks_input
from ..host.menus import check_choices, require_choice
from ..host.schema import advanced, schema
from .folders import embedding_path, embeddings
from .sockets import CATEGORY, EmoCrop, EmoFace, EmoModel

DETECTORS = ["auto", "mediapipe", "built-in", "none"]
REGIONS = ["face", "whole picture"]
AUTO, NONE = "auto", "none"
"""Choices of face_embedding beside the files."""


class FaceLocatorMask(io.ComfyNode):
    """Crop the face and draw its region."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="FaceLocatorMask",
            display_name="Face Locator Mask (EMO)",
            description=(
                "Finds the face in a picture, crops the square that the model was trained on, and draws the face region: "
                "the mask in which the face may move. A batch of frames gets the union of its face boxes."
            ),
            search_aliases=["face crop", "face detect", "face region", "emo crop"],
            has_intermediate_output=True,
            inputs=[
                EmoModel.Input("model", tooltip="From EMO Model Loader: its framing and picture size are used."),
                io.Image.Input("image", tooltip="A portrait, or any photo with a face."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "White on the face: used instead of a detector. An all-black mask is ignored. Load Image's mask works if "
                        "the face was painted in the mask editor; for a transparent picture it marks the background."
                    ),
                ),
                landmarks_input(
                    "the same image",
                    ": used instead of a detector. Its num_faces limits face_index. Ignored if a mask is used.",
                ),
                io.Float.Input(
                    "expand",
                    default=1.1,
                    min=0.1,
                    max=10.0,
                    step=0.05,
                    tooltip="Size of the region over the face box. 1.1 is usual; 1.5 allows more head motion. A `mask` is not expanded.",
                ),
                face_index_input(
                    15, note=" In a batch of frames it is chosen in the first frame and tracked from there."
                ),
                io.Combo.Input(
                    "detector",
                    options=DETECTORS,
                    default="auto",
                    tooltip=(
                        "auto: MediaPipe if it is installed, else the built-in detector. none: the largest square in the middle, "
                        "for portraits that are cropped already."
                    ),
                ),
                advanced(
                    io.Combo.Input(
                        "region",
                        options=REGIONS,
                        default="face",
                        tooltip="face: the expanded face box. whole picture: an all-white mask.",
                    )
                ),
                *(
                    advanced(
                        io.Float.Input(
                            f"{name}_weight",
                            default=1.0,
                            min=0.0,
                            max=3.0,
                            step=0.05,
                            tooltip=f"Weight of the audio attention on {region}. Only Hallo uses it.",
                        )
                    )
                    for name, region in (("pose", "the head pose"), ("face", "the face"), ("lip", "the lips"))
                ),
                advanced(
                    io.Combo.Input(
                        "face_embedding",
                        options=[AUTO, NONE, *embeddings()],
                        default=AUTO,
                        optional=True,
                        tooltip=(
                            "Face embedding; only Hallo uses it. auto: computed by insightface with antelopev2, if both are "
                            "installed. none: unknown face. Others: .npy files in the input folder."
                        ),
                    )
                ),
            ],
            outputs=[
                io.Mask.Output("region_mask", display_name="mask", tooltip="The face region in the cropped picture."),
                io.Image.Output("crop_image", display_name="crop", tooltip="The cropped square: to VAE Encode."),
                EmoCrop.Output("emo_crop", display_name="emo_crop", tooltip="Position of the crop: to EMO Paste Back."),
                EmoFace.Output(
                    "emo_face",
                    display_name="emo_face",
                    tooltip=(
                        "Regional audio weights and face embedding: to EMO Sampler or Motion Frame Chainer. Hallo uses them, "
                        "EMO does not."
                    ),
                ),
            ],
        )

    @classmethod
    def validate_inputs(
        cls, detector: str | None = None, region: str | None = None, face_embedding: str | None = AUTO
    ) -> bool | str:
        """Check the menus."""
        return check_choices(
            detector=(detector, DETECTORS),
            region=(region, REGIONS),
            face_embedding=(face_embedding, [AUTO, NONE, *embeddings()]),
        )

    @classmethod
    def fingerprint_inputs(cls, face_embedding: str | None = AUTO, **_: Any) -> int:
        """Time of change of the embedding, so that a new file of the same name is read again."""
        return file_state(embedding_path(face_embedding))[1] if face_embedding in embeddings() else 0

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
        face_embedding: str = AUTO,
        face_landmarks: Any = None,
    ) -> io.NodeOutput:
        from .face_locator import FaceRequest, locate

        request = FaceRequest(
            expand,
            face_index,
            detector=require_choice("detector", detector, DETECTORS),
            whole=require_choice("region", region, REGIONS) == "whole picture",
            weights=(pose_weight, face_weight, lip_weight),
            embedding=_embedding(face_embedding),
        )
        face = locate(model.config, image, mask, request, face_landmarks)
        preview = ui.PreviewImage(face.preview, cls=cls)
        return io.NodeOutput(face.mask, face.pictures, face.crop, face.details, ui=preview)


def _embedding(name: str) -> Any:
    if name == AUTO:
        return name
    return None if name == NONE else embedding_path(require_choice("face_embedding", name, embeddings()))
