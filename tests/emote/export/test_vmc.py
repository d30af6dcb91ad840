"""VMC packets through a real socket, decoded by a small reader of OSC 1.0."""

import socket
import struct
import time

import numpy as np
import pytest

from emo_core.emote.export.live_link import SHAPES
from emo_core.emote.export.osc import PACKET, bundles, message
from emo_core.emote.export.vmc import send_vmc, unity_quaternions
from emo_core.errors import Cancelled, InputError
from emo_core.face.rotation import rotation_matrices


def text(data, place):
    end = data.index(b"\0", place)
    return data[place:end].decode("ascii"), end + 4 - (end - place) % 4


def decode(packet):
    """Messages of a packet: (address, values)."""
    if packet.startswith(b"#bundle\0"):
        place = 16
        while place < len(packet):
            (size,) = struct.unpack_from(">i", packet, place)
            yield from decode(packet[place + 4 : place + 4 + size])
            place += 4 + size
        return
    assert len(packet) % 4 == 0
    address, place = text(packet, 0)
    tags, place = text(packet, place)
    values = []
    for tag in tags[1:]:
        if tag == "s":
            value, place = text(packet, place)
        else:
            (value,) = struct.unpack_from({"i": ">i", "f": ">f"}[tag], packet, place)
            place += 4
        values.append(value)
    assert place == len(packet)
    yield address, values


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        made.bind(("127.0.0.1", 0))
        made.settimeout(2)
        yield made


def received(receiver, count):
    """Messages up to the count-th Apply, one list a frame."""
    frames = [[]]
    while len(frames) <= count:
        packet = receiver.recv(65535)
        assert len(packet) <= PACKET
        for part in decode(packet):
            frames[-1].append(part)
            if part[0] == "/VMC/Ext/Blend/Apply":
                frames.append([])
    return frames[:count]


def test_a_receiver_gets_every_frame(receiver, motion):
    steps = []
    begun = time.monotonic()
    send_vmc(motion[:8], port=receiver.getsockname()[1], progress=lambda done, total: steps.append((done, total)))
    assert time.monotonic() - begun >= 7 / 25  # In real time.
    assert steps == [(n + 1, 8) for n in range(8)]
    turns = unity_quaternions(motion.rotation)
    for number, frame in enumerate(received(receiver, 8)):
        assert frame[0] == ("/VMC/Ext/OK", [1]) and frame[1][1] == [pytest.approx(number / 25, abs=1e-6)]
        blends = {values[0]: values[1] for address, values in frame if address == "/VMC/Ext/Blend/Val"}
        assert len(blends) == 52 and blends["TongueOut"] == 0
        for name in SHAPES:
            assert blends[name[0].upper() + name[1:]] == pytest.approx(motion.curve(name)[number], abs=1e-6)
        bones = [values for address, values in frame if address == "/VMC/Ext/Bone/Pos"]
        assert [bone[0] for bone in bones] == ["Head"] and bones[0][1:4] == [0, 0, 0]
        assert np.allclose(bones[0][4:], turns[number], atol=1e-6)


def test_the_head_turns_to_the_same_side_in_unity(motion):
    """Unity's avatar looks along z with x to its right: the same scene, mirrored in x."""
    x, y, z, w = unity_quaternions(motion.rotation).T
    forward = np.stack([2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)], axis=1)
    assert np.allclose(forward, rotation_matrices(motion.rotation)[:, :, 2] * [-1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("value", ["", "a", "abc", "abcd"])
def test_texts_end_at_four_bytes(value):
    assert list(decode(message("/x", value, 7, 0.5))) == [("/x", [value, 7, 0.5])]


def test_bundles_keep_order_and_size():
    parts = [message("/a", float(n)) for n in range(300)]
    made = bundles(parts)
    assert len(made) > 1 and max(map(len, made)) <= PACKET
    assert [values[0] for packet in made for _, values in decode(packet)] == list(range(300))


def test_it_stops_when_asked(receiver, motion):
    def stop(done, total):
        if done == 3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        send_vmc(motion, port=receiver.getsockname()[1], progress=stop)
    assert len(received(receiver, 3)) == 3


def test_nobody_listening_is_told(motion):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=r"no program listens at 127\.0\.0\.1"):
        send_vmc(motion, port=port)


@pytest.mark.parametrize("port", [0, -1, 65536, "39539", None, True, 1.5])
def test_bad_ports_are_refused(motion, port):
    with pytest.raises(InputError, match=r"expected 1 .. 65535, usually 39539"):
        send_vmc(motion, port=port)


@pytest.mark.parametrize("host", ["no such host", "a..b", "x" * 300, "host.invalid"])
def test_bad_hosts_are_refused(motion, host):
    with pytest.raises(InputError, match="no computer is called"):
        send_vmc(motion, host)


def test_an_empty_host_is_refused(motion):
    with pytest.raises(InputError, match="empty host"):
        send_vmc(motion, " ")


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"])
def test_other_computers_need_to_be_allowed(motion, host):
    with pytest.raises(InputError, match="not on this computer"):
        send_vmc(motion, host)


def test_an_address_that_cannot_be_reached_is_told(motion):
    with pytest.raises(InputError, match="cannot be reached"):
        send_vmc(motion, "255.255.255.255", other_computers=True)
