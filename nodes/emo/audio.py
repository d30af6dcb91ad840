"""LoadAudioWav2Vec: a sound -> what the model hears in every frame."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import EmoAudio, EmoModel, schema


class LoadAudioWav2Vec(io.ComfyNode):
    """Turn a sound into wav2vec features at the video's frame rate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="LoadAudioWav2Vec",
            display_name="Load Audio Wav2Vec (EMO)",
            description=(
                "Listens to a voice or a song with the checkpoint's wav2vec encoder, and says how long the video will be: "
                "one frame per 1/fps seconds of sound."
            ),
            search_aliases=["audio features", "wav2vec2", "voice", "speech", "emo audio"],
            inputs=[
                EmoModel.Input("model", tooltip="From EMO Model Loader: its encoder listens, its frame rate is used."),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="From Load Audio: any rate, mono or stereo. It also becomes the video's sound.",
                ),
                io.AudioEncoderOutput.Input(
                    "encoded_audio",
                    optional=True,
                    tooltip=(
                        "From Audio Encoder Encode, for checkpoints that bring no encoder. Wire `audio` too, or the video "
                        "will be silent."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=120.0,
                    step=1.0,
                    tooltip="Video frames per second. 0 is the rate that the model was trained at (emo-mini: 25): best.",
                ),
                io.Float.Input(
                    "start", default=0.0, min=0.0, max=86400.0, step=0.01, tooltip="Begin at this second of the sound."
                ),
                io.Float.Input(
                    "duration",
                    default=0.0,
                    min=0.0,
                    max=86400.0,
                    step=0.01,
                    tooltip="Use so many seconds of the sound. 0 is all of it.",
                ),
                io.Float.Input(
                    "loudness",
                    default=0.0,
                    min=-20.0,
                    max=20.0,
                    step=0.5,
                    tooltip=(
                        "How loud the model hears the voice, in dB over normal speech (every sound is brought to normal "
                        "first). The sound in the video is left alone. Not used with `encoded_audio`."
                    ),
                ),
            ],
            outputs=[
                EmoAudio.Output("emo_audio", display_name="emo_audio", tooltip="Features for every frame."),
                io.Float.Output("video_fps", display_name="fps", tooltip="The video's frame rate: to Create Video."),
                io.Audio.Output(
                    "spoken_audio", display_name="audio", tooltip="The part of the sound that is used: to Create Video."
                ),
                io.Int.Output("frames", display_name="frames", tooltip="How many frames the video will have."),
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
        from .sound import hear, spoken

        excerpt = Excerpt(fps=fps or model.config.fps, start=start, seconds=duration or None, loudness=loudness)
        voice = hear(model, audio, encoded_audio, excerpt)
        return io.NodeOutput(voice, voice.fps, spoken(voice), voice.features.frames)
