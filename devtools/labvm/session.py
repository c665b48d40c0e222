# SPDX-License-Identifier: BSD-3-Clause
"""One run of the machine: start QEMU, pass COMMAND's output through, learn how it ended.

The guest sends stdout and stderr over a virtio-serial port each, and `ended STATUS` over a
third. The ports are not ordered among each other, so on stdout and stderr the guest marks the
end of COMMAND's output with a random token; what comes after it (from a daemon that COMMAND
left behind) is dropped. An interactive session has a console in place of the two.
"""

import contextlib
import glob
import os
import re
import secrets
import selectors
import socket
import subprocess
import time

from . import initramfs, machine, terminal
from .architecture import busybox
from .common import CHECKOUT, LabError, cache_dir, die_with_parent, say
from .kernel import start_modules

TIMED_OUT = 124
# Now and then, above all on a busy host, an emulated CPU loses its timer and the guest hangs
# before COMMAND has started: nothing is lost by starting again. Four guests at once on two cores
# take half a minute to boot.
BOOT_LIMIT = 90       # seconds
BOOT_ATTEMPTS = 3
DRAIN = 30            # seconds that the rest of the output may take once COMMAND has ended
KEPT_LOGS = 50
ESCAPE = b"\x1d"      # Ctrl-], as in telnet: out of a guest that hangs


class Stopped(LabError):
    """QEMU ended by itself: the log knows why."""


def run(options, kernel, command, environment):
    """COMMAND's exit status; LabError where it is not known."""
    deadline = time.monotonic() + (options.timeout or float("inf"))
    with kernel_log() as log:
        for _ in range(BOOT_ATTEMPTS):
            with contextlib.ExitStack() as cleanup:
                guest = boot(options, kernel, command, environment, log, cleanup)
                if guest.until(guest.has_started, min(deadline, time.monotonic() + BOOT_LIMIT)):
                    return finish(guest, deadline, options.timeout)
            if time.monotonic() >= deadline:
                raise LabError(f"the guest did not boot within {options.timeout:g} s", TIMED_OUT)
            say(f"the guest did not boot within {BOOT_LIMIT} s")
        raise LabError(f"gave up after {BOOT_ATTEMPTS} attempts to boot")


def boot(options, kernel, command, environment, log, cleanup):
    token = secrets.token_hex(16)
    outputs = {name: Stream(fd, token.encode()) for name, fd in output_ports(options).items()}
    ours, theirs = connect([*outputs, "lab.control"], cleanup)
    archive = initramfs.archive(command, environment, settings(options, kernel, token),
                                start_modules(kernel, options.iommu),
                                busybox(machine.IOMMUS[options.iommu].architecture))
    initrd = in_memory(archive, cleanup)
    arguments = machine.arguments(options, kernel, f"/proc/self/fd/{initrd}", log,
                                  {name: end.fileno() for name, end in theirs.items()})
    qemu = start(arguments, log, [initrd, *(end.fileno() for end in theirs.values())])
    cleanup.callback(stop, qemu)
    for end in theirs.values():
        end.close()  # so that QEMU's end is the end of the stream

    guest = Guest(ours, outputs)
    if options.interactive:
        cleanup.enter_context(terminal.raw())
        guest.add_keyboard(ours["lab.console"])
    return guest


def finish(guest, deadline, timeout):
    if not guest.until(guest.has_ended, deadline):
        raise LabError(f"COMMAND did not end within {timeout:g} s", TIMED_OUT)
    if not guest.until(guest.has_delivered, time.monotonic() + DRAIN):
        raise LabError("the guest did not deliver the rest of COMMAND's output")
    return guest.control.status


def output_ports(options):
    return {"lab.console": 1} if options.interactive else {"lab.stdout": 1, "lab.stderr": 2}


def settings(options, kernel, token):
    """Variables for the guest's scripts."""
    here = os.getcwd()
    inside = os.path.commonpath([here, CHECKOUT]) == CHECKOUT
    rows, columns = terminal.size()
    return {"CHECKOUT": CHECKOUT, "DIRECTORY": here if inside else CHECKOUT, "TOKEN": token,
            "HUGEPAGES": str(options.hugepages), "ROWS": str(rows), "COLUMNS": str(columns),
            "INTERACTIVE": "yes" if options.interactive else "",
            "MODULES": "yes" if kernel.modules else ""}


# ---- what QEMU gets

@contextlib.contextmanager
def kernel_log():
    """A file for kernel, firmware and QEMU; it stays if it was asked for or is needed."""
    chosen = os.environ.get("LAB_LOG")
    path = os.path.abspath(chosen or
                           os.path.join(cache_dir("log"), f"run-{secrets.token_hex(4)}.log"))
    try:
        with open(path, "wb"):
            pass
    except OSError as error:
        raise LabError(f"cannot write the kernel log {path}: {error.strerror}") from error
    keep = bool(chosen)
    try:
        yield path
    except LabError as error:
        keep = True
        why = last_words(path) if isinstance(error, Stopped) else ""
        raise LabError(f"{error}{why}\nlab: kernel log: {path}", error.status) from error
    finally:
        if not keep:
            os.unlink(path)
        forget_old_logs()


def forget_old_logs():
    logs = glob.glob(os.path.join(cache_dir("log"), "run-*.log"))
    with contextlib.suppress(FileNotFoundError):  # another lab does the same
        for path in sorted(logs, key=os.path.getmtime)[:-KEPT_LOGS]:
            os.unlink(path)


def last_words(path):
    """Of a machine that stopped: complaints of QEMU, of guest/init, of the dying kernel."""
    with open(path, errors="replace", encoding="utf-8") as log:
        lines = [line for line in log if re.search(r"^qemu-system|^lab: |Kernel panic", line)
                 and "warning: " not in line]
    return "".join(f"\n  {line.rstrip()}" for line in lines[-5:])


def connect(names, cleanup):
    """A socket pair for each port: no files, no TCP ports, nothing that two runs could share."""
    ours, theirs = {}, {}
    for name in names:
        ours[name], theirs[name] = (cleanup.enter_context(end) for end in socket.socketpair())
    # The monitor's two ends are both QEMU's: what the guest writes to one port is QMP.
    theirs["lab.qmp"], theirs["lab.monitor"] = (
        cleanup.enter_context(end) for end in socket.socketpair())
    return ours, theirs


def in_memory(content, cleanup):
    """A file without a name, so that there is nothing to remove however we end."""
    fd = os.memfd_create("initramfs")
    cleanup.callback(os.close, fd)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    return fd


def start(arguments, log, fds):
    try:
        with open(log, "ab") as complaints:
            # A session of its own: Ctrl-C is for us to handle.
            return subprocess.Popen(arguments, pass_fds=fds, stdin=subprocess.DEVNULL,
                                    stdout=complaints, stderr=complaints,
                                    start_new_session=True, preexec_fn=die_with_parent)
    except FileNotFoundError as error:
        raise LabError(f"{arguments[0]} is not installed: run devtools/setup") from error


def stop(qemu):
    """Nothing in the guest needs saving."""
    qemu.kill()
    qemu.wait()


# ---- what comes back

class Stream:
    """Output of COMMAND, written to fd as it comes, up to the token."""

    def __init__(self, fd, token):
        self.fd = fd
        self.token = token
        self.held = b""
        self.ended = False

    def feed(self, data):
        if self.ended:
            return
        data = self.held + data
        end = data.find(self.token)
        self.ended = end >= 0
        if not self.ended:
            end = len(data) - self.start_of_token(data)
        self.held = data[end:]
        write_all(self.fd, data[:end])

    def start_of_token(self, data):
        """How many bytes at the end may be the token's first."""
        sizes = range(min(len(self.token) - 1, len(data)), 0, -1)
        return next((size for size in sizes if data.endswith(self.token[:size])), 0)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


class Control:
    """Lines of the guest's scripts: `started`, `ended STATUS`, `failed REASON`."""

    def __init__(self):
        self.partial = b""
        self.started = False
        self.status = None

    def feed(self, data):
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in lines:
            word, _, rest = line.partition(b" ")
            if word == b"started":
                self.started = True
            elif word == b"ended":
                self.status = int(rest)
            elif word == b"failed":
                raise LabError(os.fsdecode(rest))


class Guest:
    """Hands on what arrives from the guest, until something is the case."""

    def __init__(self, ends, outputs):
        self.control = Control()
        self.outputs = outputs
        self.selector = selectors.DefaultSelector()
        for name, receiver in [*outputs.items(), ("lab.control", self.control)]:
            self.selector.register(ends[name], selectors.EVENT_READ, receiver.feed)
        self.connected = len(outputs) + 1

    def has_started(self):
        return self.control.started

    def has_ended(self):
        return self.control.status is not None

    def has_delivered(self):
        return all(stream.ended for stream in self.outputs.values())

    def add_keyboard(self, console):
        def feed(data):
            if ESCAPE in data:
                raise KeyboardInterrupt
            console.sendall(data)
        self.selector.register(0, selectors.EVENT_READ, feed)

    def until(self, condition, deadline):
        """False where it took longer."""
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self.selector.select(min(left, 3600)):
                self.receive(key)
        return True

    def receive(self, key):
        data = os.read(key.fd, 1 << 16)
        if data:
            key.data(data)
            return
        self.selector.unregister(key.fileobj)
        if key.fd != 0:
            self.connected -= 1
        if not self.connected:  # all that QEMU had sent has been handed on by now
            raise Stopped("the machine stopped before COMMAND had ended")
