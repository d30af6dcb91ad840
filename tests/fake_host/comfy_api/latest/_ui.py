"""Previews below a node."""


class PreviewImage:
    """Keeps the pictures. The real host saves a PNG."""

    def __init__(self, image, cls=None):
        self.values = image

    def as_dict(self):
        return {"images": list(self.values)}
