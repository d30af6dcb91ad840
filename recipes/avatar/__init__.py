"""How avatars are measured."""
