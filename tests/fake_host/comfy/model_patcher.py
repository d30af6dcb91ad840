"""A model with its devices."""


class ModelPatcher:
    cached_patcher_init = None

    def __init__(self, model, load_device, offload_device):
        self.model, self.load_device, self.offload_device = model, load_device, offload_device

    def clone(self):
        copy = ModelPatcher(self.model, self.load_device, self.offload_device)
        copy.cached_patcher_init = self.cached_patcher_init
        return copy

    def is_dynamic(self):
        return False


CoreModelPatcher = ModelPatcher
