# SPDX-License-Identifier: BSD-3-Clause
"""The client, which here starts the generator, too."""

import threading
import time

from .generator import Generator

# Of the time of sending, at its begin and end, that is not counted.
SETTLE = 2


class STLClient:
    """With as many of TRex's methods and arguments as DTS uses."""

    def __init__(self, username, server):
        self.login = (username, server)
        self.bdfs = []
        self.packets = {}
        self.generator = None
        self.watcher = None
        self.window = {}

    def connect(self):
        with open("/run/trex-stand-in", encoding="ascii") as file:
            self.bdfs = [f"0000:{line.strip()}" for line in file]

    def reset(self, ports):
        self.stop(ports)
        for number in ports:
            self.packets.pop(number, None)

    def clear_stats(self):
        self.window = {}

    def add_streams(self, stream, ports):
        for number in ports:
            self.packets[number] = stream.packet

    def start(self, ports, mult, duration):
        """Returns once it sends; it does so until stop(), and duration is what is counted of that."""
        if mult != "100%":
            raise ValueError("the stand-in sends as fast as it can: mult='100%'")
        self.generator = Generator([self.bdfs[number] for number in ports],
                                   [self.packets[number] for number in ports])
        self.watcher = threading.Thread(target=self.watch, args=(duration,))
        self.watcher.start()

    def watch(self, duration):
        settle = SETTLE if duration > 3 * SETTLE else 0
        time.sleep(settle)
        before = self.generator.counters()
        time.sleep(duration - 2 * settle)
        after = self.generator.counters()
        self.window = {number: (before[number], after[number]) for number in before}

    def stop(self, ports):
        del ports  # they all have one generator
        if self.generator:
            self.watcher.join()
            self.generator.stop()
            self.generator = None

    def get_stats(self, ports):
        """Averages of the time that was watched, by port and in total. DTS reads the last."""
        self.watcher.join()
        stats = {number: rates(*self.window[number]) for number in ports}
        return {**stats, "total": {name: sum(stats[number][name] for number in ports)
                                   for name in stats[ports[0]]}}


def rates(before, after):
    seconds = after[0] - before[0]
    change = {name: (after[1][name] - before[1][name]) / seconds for name in after[1]}
    return {"tx_pps": int(change["TX-packets"]), "tx_bps": int(change["TX-bytes"] * 8),
            # What the port got is what the other side has sent, read or not.
            "rx_pps": int(change["RX-packets"] + change["RX-missed"]),
            "rx_bps": int(change["RX-bytes"] * 8), "rx_missed_pps": int(change["RX-missed"])}
