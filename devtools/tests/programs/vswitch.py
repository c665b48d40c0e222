# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with DPDK, as Debian packages it, from a directory where it is unpacked."""

import os
import subprocess
import time

TIMEOUT = 120


class Ovs:
    """A database, a switch daemon that can be killed and started again, and their commands."""

    def __init__(self, unpacked, place):
        self.unpacked, self.place = unpacked, place
        self.log = place / "vswitchd.log"
        self.env = {**os.environ, "OVS_RUNDIR": str(place), "OVS_LOGDIR": str(place),
                    "OVS_DBDIR": str(place), "OVS_SYSCONFDIR": str(place),
                    "OVS_PKGDATADIR": f"{unpacked}/usr/share/openvswitch"}
        self.env.pop("DPDK_IOASID_PLUGIN", None)
        self.server = self.daemon = None

    def __enter__(self):
        database = self.place / "conf.db"
        self.run("bin/ovsdb-tool", "create", database,
                 f"{self.unpacked}/usr/share/openvswitch/vswitch.ovsschema")
        self.server = self.popen("sbin/ovsdb-server", database,
                                 f"--remote=punix:{self.place}/db.sock", "--no-chdir")
        wait_until(lambda: os.path.exists(self.place / "db.sock"), "ovsdb-server does not start")
        self.vsctl("--no-wait", "init")
        return self

    def __exit__(self, error, *_):
        if error and self.log.exists():
            print(self.log.read_text())
        for process in (self.daemon, self.server):
            if process and process.poll() is None:
                process.terminate()
                process.wait()

    def path(self, name):
        return f"{self.unpacked}/usr/{name}"

    def run(self, name, *args):
        status, output = self.ask(name, *args)
        assert status == 0, output
        return output

    def ask(self, name, *args):
        result = subprocess.run([self.path(name), *map(str, args)], env=self.env, text=True,
                                check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=TIMEOUT)
        return result.returncode, result.stdout

    def popen(self, name, *args, wrapper=(), env=None):
        return subprocess.Popen([*wrapper, self.path(name), *map(str, args)],
                                env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL)

    def shell(self, text):
        """Commands as a user types them, who has all this installed."""
        path = f"{self.unpacked}/usr/bin:{os.environ['PATH']}"
        subprocess.run(["sh", "-euxc", text], env={**self.env, "PATH": path}, check=True,
                       timeout=TIMEOUT)

    def vsctl(self, *args):
        return self.run("bin/ovs-vsctl", f"--timeout={TIMEOUT}", *args)

    def ofctl(self, *args):
        return self.run("bin/ovs-ofctl", *args)

    def start(self, wrapper=(), env=None):
        """Until DPDK runs. A daemon that was killed leaves it in the database that it does."""
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "dpdk_initialized=false")
        self.daemon = self.popen(
            "lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", f"unix:{self.place}/db.sock",
            f"--log-file={self.log}", "--pidfile", "--no-chdir", "-vconsole:off", wrapper=wrapper,
            env=env)
        wait_until(lambda: "true" in self.vsctl("get", "Open_vSwitch", ".", "dpdk_initialized"),
                   "DPDK does not start", self.daemon)

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def stop(self):
        """As systemd does it; the exit status must be 0."""
        self.run("bin/ovs-appctl", "-t", "ovs-vswitchd-dpdk", "exit")
        assert self.daemon.wait(TIMEOUT) == 0

    def add_port(self, name, bdf):
        self.vsctl("--may-exist", "add-port", "br0", name, "--", "set", "Interface", name,
                   "type=dpdk", f"options:dpdk-devargs={bdf}")

    def has_ports(self, *names):
        """Whether the bridge has them by now."""
        status, text = self.ask("bin/ovs-ofctl", "show", "br0")
        return status == 0 and all(f"({name})" in text for name in names)

    def received(self, name):
        text = self.vsctl("--if-exists", "get", "Interface", name, "statistics:rx_packets")
        return int(text) if text.strip().isdigit() else 0


def wait_until(true, what, process=None):
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert process is None or process.poll() is None, f"{what}: it ended"
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
