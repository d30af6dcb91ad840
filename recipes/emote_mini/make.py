"""Put emote-mini together: `python -m recipes.emote_mini.make --encoder emo-mini --content content.safetensors --closing closing.safetensors --bank bank.npz --out emote-mini.safetensors`.

The styles of speaking that users choose from are few: the average, and training people who open their mouths more and less than it.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from emo_core.emote.weights import load_emote, save_emote

from .bank import load_bank
from .content import load_content
from .hearing import load_ear

STYLES = {"average": "average", "clear": "s1", "soft": "s5", "lively": "s2", "address": "obama"}
"""Name to choose -> person of the training films."""
NOTES = {
    "licence": "Apache-2.0; learned from the GRID corpus (CC BY 4.0, Cooke et al. 2006, doi.org/10.5281/zenodo.3625687) and from the "
    "motion of public US addresses (public domain)",
    "method": "EMOTE (arXiv 2306.08990), first stage, made anew",
}


def main() -> None:
    """Join, write, and read back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="emo-mini")
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--closing", type=Path, required=True)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument(
        "--amount", type=float, default=1.0, help="factor of all curves of the mouth, so that their spread is right"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    content, config = load_content(args.content)
    content.closing.load_state_dict(load_file(args.closing))
    kept = {name: person for name, person in STYLES.items() if person in config.styles}
    rows = content.style.weight.data[[config.styles.index(person) for person in kept.values()]]
    config = replace(config, styles=tuple(kept))
    content.style = torch.nn.Embedding.from_pretrained(rows)
    decoder = content.decoder
    for layer in (decoder.linear, decoder.correct):
        layer.weight.data *= args.amount
        layer.bias.data *= args.amount
    save_emote(args.out, config, load_ear(args.encoder), content, load_bank(args.bank), notes=NOTES)
    load_emote(args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, styles {', '.join(kept)}")


if __name__ == "__main__":
    main()
