# SPDX-License-Identifier: BSD-3-Clause
"""The client, which here is the generator."""

import threading
import time

from . import port

# Of the time of sending, at its begin and end, that is not counted.
SETTLE = 2


class STLClient:
    """With as many of TRex's methods and arguments as DTS uses."""

    def __init__(self, username, server):
        self.login = (username, server)
        self.ports = []
        self.frames = {}
        self.ending = threading.Event()
        self.threads = []
        self.window = {}

    def connect(self):
        with open("/run/trex-stand-in", encoding="ascii") as file:
            self.ports = [port.Port(f"0000:{line.strip()}") for line in file]

    def reset(self, ports):
        self.stop(ports)
        for number in ports:
            self.frames.pop(number, None)

    def clear_stats(self):
        self.window = {}

    def add_streams(self, stream, ports):
        for number in ports:
            self.frames[number] = stream.frame

    def start(self, ports, mult, duration):
        """Returns at once; sends for that many seconds, or until stop()."""
        if mult != "100%":
            raise ValueError("the stand-in sends as fast as it can: mult='100%'")
        self.ending.clear()
        self.threads = [threading.Thread(target=self.ports[number].send, daemon=True,
                                         args=(self.frames[number], duration, self.ending))
                        for number in ports]
        self.threads.append(threading.Thread(target=self.watch, daemon=True,
                                             args=(ports, duration)))
        for thread in self.threads:
            thread.start()

    def watch(self, ports, duration):
        settle = SETTLE if duration > 3 * SETTLE else 0
        self.ending.wait(settle)
        before = self.counters(ports)
        self.ending.wait(duration - 2 * settle)
        after = self.counters(ports)
        self.window = {number: (before[number], after[number]) for number in ports}

    def counters(self, ports):
        return {number: (time.monotonic(), self.ports[number].counters()) for number in ports}

    def stop(self, ports):
        del ports  # they all have one end
        self.ending.set()
        for thread in self.threads:
            thread.join()
        self.threads = []

    def get_stats(self, ports):
        """Averages of the time that was watched, by port and in total. DTS reads the last."""
        for thread in self.threads:
            thread.join()
        stats = {number: rates(*self.window[number]) for number in ports}
        return {**stats, "total": {name: sum(stats[number][name] for number in ports)
                                   for name in stats[ports[0]]}}


def rates(before, after):
    seconds = after[0] - before[0]
    change = {name: (after[1][name] - before[1][name]) / seconds for name in after[1]}
    return {"tx_pps": int(change["tx_packets"]), "tx_bps": int(change["tx_bytes"] * 8),
            # What the port got is what the other side has sent, read or not.
            "rx_pps": int(change["rx_packets"] + change["rx_missed_errors"]),
            "rx_bps": int(change["rx_bytes"] * 8),
            "rx_missed_pps": int(change["rx_missed_errors"])}
