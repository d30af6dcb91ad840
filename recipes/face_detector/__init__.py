"""Train the built-in face detector."""
