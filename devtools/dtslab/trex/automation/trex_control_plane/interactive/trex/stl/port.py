# SPDX-License-Identifier: BSD-3-Clause
"""A port: a network interface, written to by a packet socket."""

import ctypes
import os
import socket
import subprocess
import time

COUNTERS = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes", "rx_missed_errors")
BURST = 256             # frames in one system call
SOL_PACKET = 263
PACKET_QDISC_BYPASS = 20

LIBC = ctypes.CDLL(None, use_errno=True)


class Vector(ctypes.Structure):
    """struct iovec"""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Header(ctypes.Structure):
    """struct msghdr"""

    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                ("vector", ctypes.POINTER(Vector)), ("vectors", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Message(ctypes.Structure):
    """struct mmsghdr"""

    _fields_ = [("header", Header), ("sent", ctypes.c_uint)]


class Port:
    """By its PCI address."""

    def __init__(self, bdf):
        [self.name] = os.listdir(f"/sys/bus/pci/devices/{bdf}/net")
        subprocess.run(["ip", "link", "set", self.name, "up"], check=True)

    def counters(self):
        values = {}
        for counter in COUNTERS:
            with open(f"/sys/class/net/{self.name}/statistics/{counter}",
                      encoding="ascii") as file:
                values[counter] = int(file.read())
        return values

    def send(self, frame, duration, ending):
        """Without pause; Python is left for the time of each burst."""
        deadline = time.monotonic() + duration
        content = ctypes.create_string_buffer(frame, len(frame))
        vector = Vector(ctypes.addressof(content), len(frame))
        messages = (Message * BURST)(*(
            Message(Header(vector=ctypes.pointer(vector), vectors=1)) for _ in range(BURST)))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
            out.bind((self.name, 0))
            # What the ring has no room for is dropped at once, and not counted as sent.
            out.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
            while time.monotonic() < deadline and not ending.is_set():
                LIBC.sendmmsg(out.fileno(), messages, BURST, 0)
