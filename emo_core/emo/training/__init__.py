"""The offline trainer: videos -> dataset -> the paper's stages -> a checkpoint. Nothing else imports it."""
