"""LoadAudioWav2Vec: a sound -> audio features of every frame."""

from typing import Any

from comfy_api.latest import io

from ..host.inputs import excerpt_inputs, fps_input, loudness_input
from ..host.schema import schema
from .sockets import CATEGORY, EmoAudio, EmoModel


class LoadAudioWav2Vec(io.ComfyNode):
    """Encode a sound into wav2vec features at the video's frame rate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="LoadAudioWav2Vec",
            display_name="Load Audio Wav2Vec (EMO)",
            description=(
                "Encodes a voice or a song with the checkpoint's wav2vec encoder. The video has one frame per 1/fps "
                "seconds of sound."
            ),
            search_aliases=["audio features", "wav2vec2", "voice", "speech", "emo audio"],
            inputs=[
                EmoModel.Input("model", tooltip="From EMO Model Loader: its audio encoder and frame rate are used."),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="From Load Audio: any sample rate, mono or stereo. It also becomes the video's sound.",
                ),
                io.AudioEncoderOutput.Input(
                    "encoded_audio",
                    optional=True,
                    tooltip=(
                        "From Audio Encoder Encode, for checkpoints without an audio encoder. Wire `audio` too; otherwise the "
                        "video has no sound."
                    ),
                ),
                fps_input(
                    0.0,
                    0.0,
                    "Video frames per second. 0 uses the rate that the model was trained at (emo-mini: 25), which is best.",
                ),
                *excerpt_inputs("sound"),
                loudness_input("encoder", " Ignored with `encoded_audio`."),
            ],
            outputs=[
                EmoAudio.Output("emo_audio", display_name="emo_audio", tooltip="Audio features of every frame."),
                io.Float.Output("video_fps", display_name="fps", tooltip="The video's frame rate: to Create Video."),
                io.Audio.Output("spoken_audio", display_name="audio", tooltip="The excerpt: to Create Video."),
                io.Int.Output("frames", display_name="frames", tooltip="Number of frames of the video."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        fps: float,
        start: float,
        duration: float,
        loudness: float,
        audio: Any = None,
        encoded_audio: Any = None,
    ) -> io.NodeOutput:
        from ...emo_core.audio.voice import Excerpt
        from .voice import audio_to_voice, trimmed_audio

        excerpt = Excerpt(fps=fps or model.config.fps, start=start, seconds=duration or None, loudness=loudness)
        voice = audio_to_voice(model, audio, encoded_audio, excerpt)
        return io.NodeOutput(voice, voice.fps, trimmed_audio(voice), voice.features.frames)
