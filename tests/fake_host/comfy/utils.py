"""The progress bar, which calls a global hook."""

PROGRESS_BAR_HOOK = None


def set_progress_bar_global_hook(function):
    global PROGRESS_BAR_HOOK
    PROGRESS_BAR_HOOK = function


class ProgressBar:
    def __init__(self, total):
        self.total = total
        self.hook = PROGRESS_BAR_HOOK

    def update_absolute(self, value, total, preview=None):
        if self.hook is not None:
            self.hook(value, total, preview, node_id=None)
