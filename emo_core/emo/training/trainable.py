"""The parameters that a stage trains, chosen by name; gradients reach these and no others."""

from torch import nn

from ...errors import InputError
from ..models.emo import EMO
from ..models.unet import UNet
from .stages import StageConfig


def parts_of(emo: EMO) -> tuple[str, ...]:
    """Parts of a network that a stage can train."""
    encoders = tuple(_part_of_encoder(condition.module_name) for condition in emo.conditions if condition.module_name)
    return tuple(dict.fromkeys(("reference_net", "backbone", *encoders, "audio", "temporal", "speed")))


def trainable_parameters(emo: EMO, config: StageConfig) -> dict[str, nn.Parameter]:
    """The parameters that a stage trains, by name.

    Raises:
        InputError: for a part that the network does not have.
    """
    parts = set(config.trains)
    if unknown := parts - set(parts_of(emo)):
        raise InputError(f"config: trains={sorted(unknown)}; expected some of {', '.join(parts_of(emo))}")
    if "reference_net" in parts and config.follow:
        parts.add("reference_tail")
    tail, rest = _after_tokens(emo)
    return {name: value for name, value in emo.named_parameters() if part_of(name, tail, rest) in parts}


def _part_of_encoder(module: str) -> str:
    return next((part for part in ("audio", "speed", "emotion") if part in module), module)


def freeze_all_but(emo: EMO, parameters: dict[str, nn.Parameter]) -> None:
    """Let gradients reach these parameters and no others."""
    emo.requires_grad_(False)
    for parameter in parameters.values():
        parameter.requires_grad_(True)


def part_of(name: str, tail: tuple[str, ...] = (), rest: tuple[str, ...] = ()) -> str:
    """The part that a parameter belongs to, or `reference_tail`, or `reference_rest`.

    Args:
        name: of the parameter in `EMO`.
        tail: prefixes of the layers of ReferenceNet that serve motion frames alone.
        rest: prefixes of its layers that serve nothing.
    """
    if "speed" in name:
        return "speed"
    if "emotion" in name:
        return "emotion"
    if ".temporal." in name:
        return "temporal"
    if "audio" in name or ".regions." in name:  # Hallo's audio layers are called regions.
        return "audio"
    if name.startswith(tail):
        return "reference_tail"
    if name.startswith(rest):
        return "reference_rest"
    return name.partition(".")[0]


def _after_tokens(emo: EMO) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Prefixes of ReferenceNet's layers after its last tokens: those that lead to motion maps, those that lead to nothing."""
    sites = emo.reference_net.sites
    tokens = max((i for i, site in enumerate(sites) if site.spatial is not None), default=-1)
    motion = max((i for i, site in enumerate(emo.backbone.sites) if site.temporal is not None), default=-1)
    order = [name for name, _ in _in_order(emo.reference_net)]
    place = {name: number for number, name in enumerate(order)}
    names = {id(module): name for name, module in emo.reference_net.named_modules()}
    last = place[names[id(sites[tokens])]] if tokens >= 0 else -1
    reached = max(last, place[names[id(sites[motion])]]) if motion >= 0 else last
    tail, rest = list(order[last + 1 : reached + 1]), order[reached + 1 :]
    if tokens >= 0:
        block = sites[tokens].spatial.block
        ending = [names[id(module)] for module in (block.ff, block.norm3, sites[tokens].spatial.proj_out)]
        (tail if motion >= tokens else rest).extend(ending)
    prefixed = (tuple(f"reference_net.{name}." for name in part) or ("-",) for part in (tail, rest))
    return tuple(prefixed)


def _in_order(net: UNet) -> list[tuple[str, nn.Module]]:
    """Sites and samplers of a UNet, in the order of computation."""
    layers = []
    for way, levels in (("down", net.down), ("up", net.up)):
        for index, level in enumerate(levels):
            layers.extend((f"{way}.{index}.sites.{i}", site) for i, site in enumerate(level["sites"]))
            if "sampler" in level:
                layers.append((f"{way}.{index}.sampler", level["sampler"]))
        if way == "down":
            layers.extend([("mid_site", net.mid_site), ("mid_resnet", net.mid_resnet)])
    return layers
