"""The host's folders, inside a temporary folder."""

import tempfile
from pathlib import Path

_root = tempfile.TemporaryDirectory()
models_dir = str(Path(_root.name) / "models")
folder_names_and_paths = {}


def add_model_folder_path(folder_name, full_folder_path, is_default=False):
    paths, _ = folder_names_and_paths.setdefault(folder_name, ([], set()))
    if full_folder_path not in paths:
        paths.append(full_folder_path)


def get_folder_paths(folder_name):
    return list(folder_names_and_paths[folder_name][0])


def get_filename_list(folder_name):
    paths, endings = folder_names_and_paths[folder_name]
    files = [path for folder in paths for path in Path(folder).glob("*") if path.suffix in endings]
    return sorted(path.name for path in files)


def get_full_path_or_raise(folder_name, filename):
    for folder in folder_names_and_paths[folder_name][0]:
        if (Path(folder) / filename).is_file():
            return str(Path(folder) / filename)
    raise FileNotFoundError(f"Model in folder '{folder_name}' with filename '{filename}' not found.")


def get_temp_directory():
    return str(Path(_root.name) / "temp")


def get_input_directory():
    return str(Path(_root.name) / "input")


def get_output_directory():
    return str(Path(_root.name) / "output")


def get_save_image_path(filename_prefix, output_dir):
    folder, name = Path(output_dir) / Path(filename_prefix).parent, Path(filename_prefix).name
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(path.name[len(name) + 1 :].split("_")[0]) for path in folder.glob(f"{name}_*")]
    return str(folder), name, max(numbers, default=0) + 1, str(Path(filename_prefix).parent), filename_prefix
