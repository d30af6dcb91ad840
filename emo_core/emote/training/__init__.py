"""Training of emote models: films and constructed motion, the prior, the content model, the emotion model."""
