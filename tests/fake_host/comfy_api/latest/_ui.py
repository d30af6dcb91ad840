"""What a node shows under itself."""


class PreviewText:
    def __init__(self, value):
        self.value = value

    def as_dict(self):
        return {"text": (self.value,)}


class PreviewImage:
    """The host saves a PNG; the fake keeps the pictures."""

    def __init__(self, image, cls=None):
        self.values = image

    def as_dict(self):
        return {"images": list(self.values)}
