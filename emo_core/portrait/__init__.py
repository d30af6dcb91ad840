"""A portrait that wears a face motion: its own pixels, moved by landmarks."""
