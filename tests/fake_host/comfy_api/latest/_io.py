"""The types and fields that the schemas of the nodes use."""

import enum
from dataclasses import asdict, dataclass, field
from typing import Any


def pruned(values):
    return {key: value for key, value in values.items() if value is not None}


class Input:
    own = ()
    """Names of the type's own fields in /object_info."""

    def __init__(self, id, *, display_name=None, optional=False, tooltip=None, force_input=None, **rest):
        self.id, self.optional = id, optional
        self.common = {"display_name": display_name, "tooltip": tooltip, "forceInput": force_input}
        assert set(rest) <= set(self.own), f"{type(self).__name__}: unknown {set(rest) - set(self.own)}"
        self.rest = rest

    def as_dict(self):
        return pruned(self.common) | pruned(self.rest)

    def get_io_type(self):
        return self.io_type


class Output:
    def __init__(self, id=None, *, display_name=None, tooltip=None, is_output_list=False):
        self.id, self.display_name, self.tooltip, self.is_output_list = id, display_name, tooltip, is_output_list


def comfytype(io_type, *own, constant=None, preset=None):
    def as_dict(self):
        return (preset or {}) | Input.as_dict(self) | (constant or {})

    members = {"io_type": io_type, "own": ("default", *own) if own else (), "as_dict": as_dict}
    return type(
        io_type.title(),
        (),
        {
            "io_type": io_type,
            "Input": type("Input", (Input,), members),
            "Output": type("Output", (Output,), {"io_type": io_type}),
        },
    )


def Custom(io_type):
    return comfytype(io_type)


Image, Mask, Latent, Vae = (comfytype(name) for name in ("IMAGE", "MASK", "LATENT", "VAE"))
Audio, Video, AudioEncoderOutput = (comfytype(name) for name in ("AUDIO", "VIDEO", "AUDIO_ENCODER_OUTPUT"))
Int = comfytype("INT", "min", "max", "step", "control_after_generate")
Float = comfytype("FLOAT", "min", "max", "step")
Boolean = comfytype("BOOLEAN", "label_on")
Combo = comfytype("COMBO", "options", constant={"multiselect": False})
String = comfytype("STRING", "multiline", "placeholder", preset={"multiline": False})


class Hidden(str, enum.Enum):
    unique_id = "UNIQUE_ID"
    dynprompt = "DYNPROMPT"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"


@dataclass
class Schema:
    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    hidden: list = field(default_factory=list)
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    enable_expand: bool = False


@dataclass
class HiddenHolder:
    unique_id: str | None = None
    dynprompt: Any = None
    prompt: Any = None
    extra_pnginfo: Any = None


class NodeOutput:
    def __init__(self, *args, ui=None, expand=None, block_execution=None):
        self.args, self.ui, self.expand, self.block_execution = args, ui, expand, block_execution

    @property
    def result(self):
        return self.args or None

    def __getitem__(self, index):
        return self.args[index]


@dataclass
class NodeInfo:
    input: dict
    input_order: dict
    output: list
    output_is_list: list
    output_name: list
    output_tooltips: list
    name: str
    display_name: str
    description: str
    category: str
    output_node: bool
    deprecated: bool = False
    experimental: bool = False
    api_node: bool = False
    python_module: str = "nodes"


class ComfyNode:
    hidden = HiddenHolder()

    @classmethod
    def GET_SCHEMA(cls):
        schema = cls.define_schema()
        ids = [item.id for item in (*schema.inputs, *schema.outputs)]
        assert len(set(ids)) == len(ids), f"{schema.node_id}: ids are not unique: {ids}"
        return schema

    @classmethod
    def GET_NODE_INFO_V1(cls):
        schema = cls.GET_SCHEMA()
        groups = {"required": {}}
        for item in schema.inputs:
            groups.setdefault("optional" if item.optional else "required", {})[item.id] = (
                item.get_io_type(),
                item.as_dict(),
            )
        order = {name: list(group) for name, group in groups.items()}
        # The host gives the workflow to every node that writes a result.
        of_output = (Hidden.prompt, Hidden.extra_pnginfo) if schema.is_output_node else ()
        for item in dict.fromkeys((*schema.hidden, *of_output)):
            groups.setdefault("hidden", {})[item.name] = (item.value,)
            order.setdefault("hidden", []).append(item.name)
        return asdict(
            NodeInfo(
                input=groups,
                input_order=order,
                output=[item.io_type for item in schema.outputs],
                output_is_list=[item.is_output_list for item in schema.outputs],
                output_name=[item.display_name or item.io_type for item in schema.outputs],
                output_tooltips=[item.tooltip for item in schema.outputs],
                name=schema.node_id,
                display_name=schema.display_name,
                description=schema.description,
                category=schema.category,
                output_node=schema.is_output_node,
            )
        )

    @classmethod
    def PREPARE_CLASS_CLONE(cls, hidden):
        values = {key.name: hidden.get(key) for key in Hidden}
        return type(cls.__name__, (cls,), {"hidden": HiddenHolder(**values)})
