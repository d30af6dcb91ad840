"""Where checkpoints are: `models/emo` of the host, with whatever folders its user has added, and the pack's own two."""

from pathlib import Path

import folder_paths

from ...emo_core.emo.config import EMO_MINI, EMO_MINI_FEW

FOLDER = "emo"
BUILT_IN = "emo-mini (built in)"
FEW_STEP = "emo-mini-few (built in)"
PACKED = {BUILT_IN: EMO_MINI, FEW_STEP: EMO_MINI_FEW}
"""What comes with the pack."""


def register_folders() -> None:
    """Make `models/emo` known; folders from extra_model_paths.yaml, which the host has read by now, are kept."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))
    folders, _ = folder_paths.folder_names_and_paths[FOLDER]
    folder_paths.folder_names_and_paths[FOLDER] = (folders, {".safetensors"})


def checkpoints() -> list[str]:
    """Names for the loader's menu, the pack's own first."""
    return [*PACKED, *folder_paths.get_filename_list(FOLDER)]


def checkpoint_path(name: str) -> Path:
    """The file behind a name; the host raises where there is none."""
    return PACKED.get(name) or Path(folder_paths.get_full_path_or_raise(FOLDER, name))


def embeddings() -> list[str]:
    """Face embeddings in the host's input folder."""
    return sorted(path.name for path in Path(folder_paths.get_input_directory()).glob("*.npy"))


def embedding_path(name: str) -> Path:
    """The file behind a name of `embeddings`."""
    return Path(folder_paths.get_input_directory()) / name


def insightface_folders() -> tuple[Path, ...]:
    """Where other packs keep insightface's models, and where it keeps them itself."""
    return Path(folder_paths.models_dir) / "insightface", Path("~/.insightface").expanduser()


def temporary_folder() -> Path:
    """The host's, which it empties when it starts and stops."""
    return Path(folder_paths.get_temp_directory())
