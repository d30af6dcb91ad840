"""Decode GRID clips into arrays that the emo-mini training scripts map into memory.

`python -m scripts.mini.prepare --clips DIR --out WORK [--workers 2]` writes, for C clips of T=75 frames:

    frames.npy     (C, T, 256, 256, 3) uint8 RGB
    landmarks.npy  (C, T, 478, 3) float32, x and y in pixels, z in the same scale; NaN where no face was found
    audio.npy      (C, 48000) float32, 16 kHz mono
    names.json     clip names, in the order of the arrays
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import av
import mediapipe
import numpy as np
from tqdm import tqdm

FRAMES, SIZE, SAMPLE_RATE, SECONDS, POINTS = 75, 256, 16000, 3, 478


def decode(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one clip: (T, H, W, 3) uint8 and (S,) float32."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(path)) as container:
        packets = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    sound = np.concatenate([packet.to_ndarray()[0] for packet in packets])
    return np.stack(frames), sound


def prepare(index: int, path: Path, out: Path) -> bool:
    """Write clip `index` into the arrays; False where the clip is not T frames of the right size."""
    frames, sound = decode(path)
    if frames.shape != (FRAMES, SIZE, SIZE, 3):
        return False
    np.load(out / "frames.npy", mmap_mode="r+")[index] = frames
    fitted = np.zeros(SAMPLE_RATE * SECONDS, np.float32)
    fitted[: min(len(sound), len(fitted))] = sound[: len(fitted)]
    np.load(out / "audio.npy", mmap_mode="r+")[index] = fitted
    points = np.load(out / "landmarks.npy", mmap_mode="r+")
    with mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1) as mesh:
        for t, frame in enumerate(frames):
            faces = mesh.process(frame).multi_face_landmarks
            points[index, t] = (
                np.array([(p.x, p.y, p.z) for p in faces[0].landmark], np.float32) * SIZE if faces else np.nan
            )
    return True


def main() -> None:
    """Prepare every clip of a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    paths = sorted(args.clips.glob("*.mp4"))
    shapes = {
        "frames": ((FRAMES, SIZE, SIZE, 3), np.uint8),
        "landmarks": ((FRAMES, POINTS, 3), np.float32),
        "audio": ((SAMPLE_RATE * SECONDS,), np.float32),
    }
    for name, (shape, dtype) in shapes.items():
        np.lib.format.open_memmap(args.out / f"{name}.npy", "w+", dtype, (len(paths), *shape)).flush()
    with ProcessPoolExecutor(args.workers) as pool:
        kept = list(tqdm(pool.map(prepare, range(len(paths)), paths, [args.out] * len(paths)), total=len(paths)))
    names = [path.stem if keep else None for path, keep in zip(paths, kept, strict=True)]
    (args.out / "names.json").write_text(json.dumps(names))


if __name__ == "__main__":
    main()
