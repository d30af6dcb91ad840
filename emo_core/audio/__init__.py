"""Sound file -> 16 kHz mono -> wav2vec features -> one window per video frame."""
