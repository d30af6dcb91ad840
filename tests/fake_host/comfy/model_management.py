"""Devices and memory of a host that has only a CPU."""

import torch


class InterruptProcessingException(Exception):  # noqa: N818 -- the host's name
    pass


class _State:
    interrupted = False


def interrupt_current_processing(value=True):
    _State.interrupted = value


def throw_exception_if_processing_interrupted():
    if _State.interrupted:
        _State.interrupted = False
        raise InterruptProcessingException


def load_models_gpu(models, memory_required=0, force_full_load=False):
    pass


def get_torch_device():
    return torch.device("cpu")


unet_offload_device = text_encoder_device = text_encoder_offload_device = get_torch_device
vae_device = vae_offload_device = intermediate_device = get_torch_device


def unet_dtype(device, model_params, supported_dtypes):
    return torch.float32


def unet_manual_cast(weight_dtype, inference_device, supported_dtypes):
    return None
