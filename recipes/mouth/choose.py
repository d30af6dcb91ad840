"""Choose whose teeth are shipped: `python -m recipes.mouth.choose --people RUN/people.safetensors --upper frl117 --out ..`.

The upper teeth are of a person who smiles in a sharp photograph, the lower ones are made of them (`rows`). The soft
layers are those of the painted person (`painted`).
"""

import argparse
from pathlib import Path

import torch

from emo_core.portrait.mouth_interior import save_mouth

from .people import baked, read_people
from .rows import clean, lower_row

CARD = {
    "license": "CC BY 4.0",
    "attribution": "GRID corpus (Cooke et al. 2006); Face Research Lab London Set (DeBruine & Jones 2017)",
}


def main() -> None:
    """Write the mouth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=Path, required=True, help="what `recipes.mouth.train` wrote")
    parser.add_argument("--upper", required=True, help="name of the person whose upper teeth are taken")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    people = read_people(args.people)
    person = torch.tensor([people.names.index(args.upper)])
    upper = clean(people.person(person).upper[0].detach())
    mouth = baked(people, upper, lower_row(upper), people.painted)
    save_mouth(mouth, args.out, CARD)


if __name__ == "__main__":
    main()
