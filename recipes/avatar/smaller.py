"""Make an avatar's file smaller, to ship it: `python -m recipes.avatar.smaller AVATAR OUT --mouths 200 --quality 85`."""

import argparse
import dataclasses
from pathlib import Path

from emo_core.avatar.avatar_file import load_avatar, save_avatar
from emo_core.avatar.pictures import Pictures, PicturesWriter
from emo_core.avatar.renderer import MouthRenderer
from emo_core.avatar.retrieval import choose_mouths
from emo_core.face.rig import load_rig


def encoded(pictures: Pictures, quality: int) -> Pictures:
    """The same pictures at another JPEG quality."""
    writer = PicturesWriter(quality)
    for number in range(len(pictures)):
        writer.add(pictures[number])
    return writer.done()


def main() -> None:
    """Keep the most different mouths, and encode all pictures again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("avatar", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mouths", type=int, default=200)
    parser.add_argument("--quality", type=int, default=85)
    args = parser.parse_args()
    avatar = load_avatar(args.avatar)
    gallery, stage = avatar.renderer.gallery, avatar.stage
    kept = choose_mouths(gallery.lips, args.mouths)
    fewer = dataclasses.replace(
        gallery,
        patches=encoded(gallery.patches.chosen(kept), args.quality),
        points=gallery.points[kept],
        looks=gallery.looks[kept],
    )
    renderer = MouthRenderer(avatar.renderer.net, fewer, load_rig(), avatar.renderer.neutral)
    stage = dataclasses.replace(stage, pictures=encoded(stage.pictures, args.quality))
    save_avatar(dataclasses.replace(avatar, renderer=renderer, stage=stage), args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
