"""Choose whose teeth are shipped: `python -m recipes.mouth.choose --people RUN/people.safetensors --upper frl026 --lower s5 --out FILE`.

Teeth of a person who smiles in a sharp photograph may stand above those of a person who was filmed speaking. How far teeth
show in speech is the mean of the filmed persons' habits.
"""

import argparse
from pathlib import Path

from emo_core.portrait.mouth_interior import save_mouth

from .habits import SEEN, chosen
from .people import baked, read_people
from .train import Patches

CARD = {
    "license": "CC BY 4.0",
    "attribution": "GRID corpus (Cooke et al. 2006); Face Research Lab London Set (DeBruine & Jones 2017)",
}


def main() -> None:
    """Write the mouth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=Path, required=True, help="what `recipes.mouth.train` wrote")
    parser.add_argument("--upper", required=True, help="name of the person whose upper teeth are taken")
    parser.add_argument("--lower", required=True, help="name of the person whose lower teeth are taken")
    parser.add_argument("--data", type=Path, required=True, help="the file of `recipes.mouth.gather`")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    people = read_people(args.people)
    habits = chosen(people, Patches.open(args.data).open_mouths(SEEN))
    mouth = baked(people, people.names.index(args.upper), people.names.index(args.lower), habits)
    save_mouth(mouth, args.out, CARD)


if __name__ == "__main__":
    main()
