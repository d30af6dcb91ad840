"""Errors of commands: one line and an exit code."""

import argparse

import pytest
import torch

from emo_core.command_line import run_command


def parser_of(error):
    def run(args):
        raise error

    def build():
        parser = argparse.ArgumentParser()
        parser.set_defaults(run=run)
        return parser

    return build


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 GiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 137438953472 bytes."),
    ],
)
def test_full_memory_is_one_line(error, capsys):
    assert run_command(parser_of(error), []) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: out of memory") and "--device cpu" in line


def test_other_errors_are_shown():
    with pytest.raises(RuntimeError, match="a fault of the program"):
        run_command(parser_of(RuntimeError("a fault of the program")), [])
