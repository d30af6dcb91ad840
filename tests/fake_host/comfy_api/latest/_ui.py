"""What a node shows under itself."""


class PreviewImage:
    """The host saves a PNG; the fake keeps the pictures."""

    def __init__(self, image, cls=None):
        self.values = image

    def as_dict(self):
        return {"images": list(self.values)}
