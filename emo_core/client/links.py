"""Follow a link to the output that makes its value, through reroutes, bypassed nodes and subgraphs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from .graph import BYPASSED, EXPORT, MUTED, OUTSIDE, Slot
from .schema import ANY_TYPE, AUTOGROW, DYNAMIC_MENU, is_widget, specs
from .subgraphs import NOTES, PRIMITIVE, REROUTE, Instance, Promotions

AGAIN = "open the workflow in the browser, connect it and save it again"


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a node that runs."""

    key: str
    slot: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value on a subgraph's node, in place of a link."""

    value: Any


@dataclass(frozen=True, slots=True)
class _Place:
    """A place on the way back along a link."""

    item: Instance
    side: str
    """`input` or `output`."""
    number: int
    kind: str | None
    """The type that is looked for; None for the type of the input itself."""


class Links:
    """The links of an expanded workflow."""

    def __init__(
        self, instances: Mapping[str, Instance], promotions: Promotions, object_info: Mapping[str, Any]
    ) -> None:
        self._instances = instances
        self._promotions = promotions
        self._info = object_info

    def source(self, item: Instance, number: int) -> Output | Value | None:
        """The source of an input; None if nothing that runs is linked to it.

        Raises:
            InputError: if a link is missing, or leads in a circle.
        """
        place: Any = _Place(item, "input", number, None)
        seen: set[tuple[str, str, int]] = set()
        while isinstance(place, _Place):
            mark = (place.item.key, place.side, place.number)
            if mark in seen:
                raise InputError(f"workflow: {place.item}: its links lead in a circle; {AGAIN}")
            seen.add(mark)
            place = self._before_input(place) if place.side == "input" else self._before_output(place)
        return place

    def slots(self, item: Instance) -> list[Slot]:
        """Inputs in the browser's order: sockets and widgets of the schema, then those that only the file has."""
        saved = {slot.name: slot for slot in item.node.inputs}
        if item.inside is not None:
            return [
                Slot(port.name, port.kind, saved[port.name].link if port.name in saved else None)
                for port in item.inside.inputs
            ]
        if item.node.kind not in self._info:
            return list(item.node.inputs)
        slots: dict[str, Slot] = {}
        for name, spec in sorted(specs(self._info[item.node.kind]), key=lambda entry: is_widget(entry[1])):
            own = saved.get(name, Slot(name, kind_of(spec)))
            if spec[0] != AUTOGROW:
                slots[name] = own if spec[0] in ANY_TYPE else replace(own, kind=kind_of(spec))
            if spec[0] in (AUTOGROW, DYNAMIC_MENU):
                slots |= {key: slot for key, slot in saved.items() if key.startswith(f"{name}.")}
        return [*slots.values(), *(slot for slot in item.node.inputs if slot.name not in slots)]

    def _before_input(self, place: _Place) -> _Place | Value | None:
        item, slots = place.item, self.slots(place.item)
        if not 0 <= place.number < len(slots):
            raise InputError(f"workflow: {item} has no input number {place.number}; {AGAIN}")
        slot = slots[place.number]
        if slot.link is None:
            return None
        link = item.graph.links.get(slot.link)
        if link is None:
            raise InputError(
                f"workflow: {item}: input {slot.name!r} refers to link {slot.link}, which the file does not have; {AGAIN}"
            )
        if link.origin == OUTSIDE and item.host is not None:
            return self._leave(item, link.slot, slot)
        origin = self._instances.get(":".join((*item.path[:-1], link.origin)))
        if origin is None:
            raise InputError(
                f"workflow: {item}: input {slot.name!r} is linked to node {link.origin}, which the file does not have; "
                f"{AGAIN}"
            )
        return _Place(origin, "output", link.slot, place.kind or slot.kind)

    def _leave(self, item: Instance, number: int, slot: Slot) -> _Place | Value | None:
        """From inside a subgraph to the input of its node."""
        host = item.host
        assert host is not None
        outer = self.slots(host)
        if not 0 <= number < len(outer):
            raise InputError(
                f"workflow: {item}: input {slot.name!r} is linked to input {number} of the subgraph, which has "
                f"{len(outer)}; {EXPORT}"
            )
        if outer[number].link is not None:
            return _Place(host, "input", number, None)
        values = self._promotions.of(host).inputs
        return Value(values[outer[number].name]) if outer[number].name in values else None

    def _before_output(self, place: _Place) -> _Place | Output | None:
        item, node = place.item, place.item.node
        if node.mode == MUTED:
            return None
        if node.mode == BYPASSED:
            number = self._passed(item, place.number, place.kind or "*")
            return None if number is None else _Place(item, "input", number, None)
        if item.inside is not None:
            return self._enter(item, place)
        if node.kind == REROUTE:
            return _Place(item, "input", 0, place.kind) if self.slots(item) else None
        if node.kind == PRIMITIVE or node.kind in NOTES:
            return None
        return Output(item.key, place.number)

    def _enter(self, item: Instance, place: _Place) -> _Place | None:
        """From the output of a subgraph's node to the output inside."""
        assert item.inside is not None
        if not 0 <= place.number < len(item.inside.outputs):
            raise InputError(
                f"workflow: {item} has no output number {place.number}, which another node is linked to; {AGAIN}"
            )
        port = item.inside.outputs[place.number]
        link = next((item.inside.links[key] for key in port.links if key in item.inside.links), None)
        if link is None:
            return None
        if link.origin == OUTSIDE:
            return _Place(item, "input", link.slot, place.kind)
        inner = self._instances.get(f"{item.key}:{link.origin}")
        if inner is None:
            raise InputError(
                f"workflow: output {port.name!r} of {item.inside.name} is linked to node {link.origin}, which the file "
                f"does not have; {AGAIN}"
            )
        return _Place(inner, "output", link.slot, place.kind)

    def _passed(self, item: Instance, number: int, kind: str) -> int | None:
        """The input whose value a bypassed node passes on to an output; None if no type fits."""
        slots, outputs = self.slots(item), self._outputs(item)
        if kind in ("", *ANY_TYPE):
            return (number if number < len(slots) else 0) if slots else None
        output = outputs[number] if 0 <= number < len(outputs) else kind
        fits = [fit(slot.kind, output) and fit(slot.kind, kind) for slot in slots]
        if 0 <= number < len(slots) and fits[number]:
            return number
        exact = [place for place, slot in enumerate(slots) if slot.kind == kind]
        return next(iter(exact + [place for place, fitting in enumerate(fits) if fitting]), None)

    def _outputs(self, item: Instance) -> list[str]:
        if item.inside is not None:
            return [port.kind for port in item.inside.outputs]
        if item.node.kind in self._info:
            saved = dict(enumerate(item.node.outputs))
            kinds = [kind_of([kind]) for kind in self._info[item.node.kind]["output"]]
            return [saved.get(place, kind) if kind in ANY_TYPE else kind for place, kind in enumerate(kinds)]
        return list(item.node.outputs)


def kind_of(spec: list) -> str:
    """The type of an input's socket."""
    kind = spec[0]
    return "COMBO" if isinstance(kind, list) else kind


def fit(one: str, other: str) -> bool:
    """Whether sockets of two types can be linked. A type may list several, and `*` is any."""
    if one in ("", *ANY_TYPE) or other in ("", *ANY_TYPE):
        return True
    return bool(set(one.lower().split(",")) & set(other.lower().split(",")))
