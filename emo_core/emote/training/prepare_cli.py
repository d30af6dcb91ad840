"""`python -m emo_core emote prepare`."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from ...dataset.prepare import find_videos
from ...errors import InputError
from ...face.detectors import make_detector
from ...files import writable_folder
from ..weights import EMOTE_MINI, load_emote
from .labels import label_of, read_labels
from .prepare import prepare


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("emote prepare", help="read films of speakers for emote train")
    add = parser.add_argument
    add("films", type=Path, help="a folder of films with sound; subfolders are read, too")
    add("--out", type=Path, required=True, help="a folder for the prepared films")
    add(
        "--labels",
        type=Path,
        help="a CSV: file,emotion[,level or strength][,person]; without one, names of folders and files tell",
    )
    add("--model", type=Path, default=EMOTE_MINI, help="the model that listens (default: the pack's emote-mini)")
    parser.set_defaults(run=_prepare)


def _prepare(args: argparse.Namespace) -> None:
    if not args.films.is_dir():
        raise InputError(f"emote prepare: {args.films} is not a folder; give a folder of films")
    folder = args.films.resolve()
    films = find_videos([folder])
    labels = {path: label_of(path, folder) for path in films}
    if args.labels is not None:
        labels = read_labels(args.labels, folder, films)
    writable_folder(args.out, "out")
    model, detector = load_emote(args.model), make_detector(landmarks=True, quiet=True)
    with tqdm(total=len(labels), desc="prepare", unit="film", delay=0.01, disable=None) as bar:
        done = prepare(labels, args.out, model, detector, progress=lambda name: bar.update())
    for line in done.left_out:
        sys.stderr.write(f"left out: {line}\n")
    sys.stdout.write(
        f"{args.out}: {done.films} films of {done.people} people, {done.labelled} with a known emotion, {len(done.left_out)} left out\n"
    )
