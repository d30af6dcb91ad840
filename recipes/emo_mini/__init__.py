"""How emo-mini's small wav2vec2 is trained: prepare, voices, audio. The rest is `emo_core.emo.training`."""
