"""A portrait wears a face motion: its own pixels, moved by the points of its face."""
