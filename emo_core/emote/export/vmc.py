"""Play a face motion on an avatar in another program, by the VMC protocol (OSC over UDP).

Each frame sends /VMC/Ext/OK, /VMC/Ext/T, /VMC/Ext/Bone/Pos for the bone Head, /VMC/Ext/Blend/Val for each of the 52 ARKit
shapes and /VMC/Ext/Blend/Apply. Shapes have the names of "Perfect Sync" avatars, such as EyeBlinkLeft. The rotation is in
Unity's axes. The position of the bone is zero, as nothing is known of the avatar's own: receivers that move bones need
that switched off (EVMC4U: Bone Position Synchronize).
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

from ...errors import InputError
from ...face.motion import FaceMotion
from .head_pose import quaternions
from .live_link import SHAPES, title
from .osc import bundles, message

HOST, PORT = "127.0.0.1", 39539
"""The protocol's port of a program that receives."""
ADVICE = "start the program that receives VMC, and give its address and port"


def send_vmc(
    motion: FaceMotion,
    host: str = HOST,
    port: int = PORT,
    *,
    other_computers: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Send a motion in real time.

    Args:
        motion: at its own frame rate.
        host: name or address of the receiver.
        port: UDP port of the receiver.
        other_computers: allow an address outside this computer. The protocol has no password and is not encrypted.
        progress: called after each frame with its number from 1 and the number of frames; raise `errors.Cancelled` in it
            to stop.

    Raises:
        InputError: for a host or port that is none, is not on this computer, or cannot be reached.
    """
    family, address = check_address(host, port, other_computers=other_computers)
    frames = _frames(motion)
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as sender:
        try:
            sender.connect(address)
            start = time.monotonic()
            for number, packets in enumerate(frames):
                time.sleep(max(0.0, start + number / motion.fps - time.monotonic()))
                for packet in packets:
                    sender.send(packet)
                if progress:
                    progress(number + 1, len(motion))
        except ConnectionRefusedError as error:
            raise InputError(f"VMC: no program listens at {host}:{port}; {ADVICE}") from error
        except OSError as error:
            raise InputError(f"VMC: {host}:{port} cannot be reached ({error.strerror or error}); {ADVICE}") from error


def _frames(motion: FaceMotion) -> Iterator[list[bytes]]:
    names = [title(name) for name in SHAPES]
    values = motion.curves(SHAPES).astype(float)
    for number, turn in enumerate(unity_quaternions(motion.rotation)):
        messages = [
            message("/VMC/Ext/OK", 1),
            message("/VMC/Ext/T", number / motion.fps),
            message("/VMC/Ext/Bone/Pos", "Head", 0.0, 0.0, 0.0, *map(float, turn)),
            *(message("/VMC/Ext/Blend/Val", name, value) for name, value in zip(names, values[number], strict=True)),
            message("/VMC/Ext/Blend/Apply"),
        ]
        yield bundles(messages)


def unity_quaternions(rotation: np.ndarray) -> np.ndarray:
    """(F, 3) rotation vectors in degrees to (F, 4) x, y, z, w on Unity's axes.

    An avatar looks along z there and x points to its own right: ours mirrored in x.
    """
    return quaternions(rotation) * [1, -1, -1, 1]


def check_address(host: str, port: int, *, other_computers: bool) -> tuple[int, tuple]:
    """The family and address of the first place that a host's name stands for.

    Raises:
        InputError: as `send_vmc`, before anything is sent.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
        raise InputError(f"VMC: got port {port!r}; expected 1 .. 65535, usually {PORT}")
    try:
        found = socket.getaddrinfo(host.strip(), port, type=socket.SOCK_DGRAM) if host.strip() else []
    except (OSError, UnicodeError) as error:
        raise InputError(f"VMC: no computer is called {host!r} ({error}); give a name or an address") from error
    if not found:
        raise InputError(f"VMC: got an empty host; give a name or an address, such as {HOST}")
    # Receivers listen on IPv4; `localhost` may come out as IPv6 first.
    family, *_, address = min(found, key=lambda place: place[0] != socket.AF_INET)
    if not (other_computers or ipaddress.ip_address(address[0].split("%")[0]).is_loopback):
        raise InputError(
            f"VMC: {host!r} is not on this computer; give {HOST}, or allow other computers if you trust the network"
        )
    return family, address
