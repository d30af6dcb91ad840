"""How emote-mini was made."""
