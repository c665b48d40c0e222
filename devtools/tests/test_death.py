# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 at any moment: whatever it interrupts, the kernel takes everything back, and the next
start works at once."""

import glob
import os
import random
import signal
import subprocess
import time

import pytest

import kernel
import memory_client
import plugin
from test_secondary import both, no_dead_sockets  # noqa: F401 (a fixture)
from testpmd import NOT_STARTED, Testpmd

pytestmark = pytest.mark.usefixtures("no_faults", "no_leftovers")

# Moments differ from run to run; DPDK_IOASID_TEST_KILLS=200 is for the patient.
KILLS = int(os.environ.get("DPDK_IOASID_TEST_KILLS", "5"))
ASKED = "DPDK_IOASID_TEST_KILLS" in os.environ
TABLES = "/sys/kernel/debug/iommu/intel/*/*/domain_translation_struct"


def page_tables():
    """Of each device and PASID, how many entries its domain has: VT-d's, where debugfs tells."""
    count = {}
    for path in glob.glob(TABLES):
        with open(path, encoding="ascii", errors="replace") as file:
            count[path] = len(file.readlines())
    return count


def held():
    """By anybody: what a process that has died may not leave."""
    return {"pinned": kernel.pages_pinned(), "tables": page_tables()}


def session(lab):
    """A program from start to exit, its commands typed ahead."""
    testpmd = Testpmd(*both(lab), "--iova-mode=va", "-m", "64")
    testpmd.process.stdin.write(b"start tx_first\nshow port stats all\nstop\nquit\n")
    testpmd.process.stdin.flush()
    return testpmd


def reached(output):
    """How far it had come, by the last of these that it has printed."""
    steps = {"IOASID: ": "the first device", "testpmd> ": "the prompt", "Bye...": "the exit"}
    return next((step for text, step in reversed(steps.items()) if text in output), "nothing")


def kill_after(testpmd, seconds):
    """It may end by itself before."""
    deadline = time.monotonic() + seconds
    while testpmd.read(deadline):
        pass
    testpmd.process.send_signal(signal.SIGKILL)
    testpmd.wait_end()
    return reached(testpmd.output)


def lasts(program):
    """How many seconds it takes by itself."""
    begin = time.monotonic()
    with program() as testpmd:
        assert testpmd.wait_end() == 0, testpmd.output
    return time.monotonic() - begin


def starts_at_once(lab):
    with Testpmd(*both(lab), "--iova-mode=va", "-m", "64", app=NOT_STARTED) as testpmd:
        testpmd.started()
        assert testpmd.ports() == [lab.NIC0, lab.NIC1]
        testpmd.quit()


def tell(capsys, what, after):
    with capsys.disabled():
        print(f"\n  {what} killed after " +
              ", ".join(f"{step}: {after.count(step)}" for step in sorted(set(after))))


def test_primary(lab, capsys):
    whole = lasts(lambda: session(lab))
    before, after = held(), []
    moments = random.Random(1)
    for _ in range(KILLS):
        with session(lab) as testpmd:
            after.append(kill_after(testpmd, moments.uniform(0, whole)))
        assert held() == before, after[-1]
        starts_at_once(lab)
        assert held() == before, after[-1]
    tell(capsys, "primary", after)
    assert not kernel.complaints()


def secondary(lab):
    return subprocess.Popen(["dpdk-proc-info", *both(lab), "--", "-p", "0x3", "--stats"],
                            env=plugin.environment(), stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


@pytest.mark.one_kernel
@pytest.mark.skipif(not ASKED, reason="a secondary that is killed may have locked DPDK's heap, for which "
                    "all others then wait (as below): a matter of chance, so only with "
                    "DPDK_IOASID_TEST_KILLS")
@pytest.mark.usefixtures("no_dead_sockets")
def test_secondary(lab, capsys):
    """The primary forwards on, and the next secondary works."""
    with Testpmd(*both(lab), "--iova-mode=va", "-m", "64") as primary:
        primary.started()
        primary.command("start tx_first")
        begin = time.monotonic()
        assert secondary(lab).wait(120) == 0
        whole = time.monotonic() - begin
        before, after, moments = held(), [], random.Random(2)
        for _ in range(KILLS):
            with secondary(lab) as victim:
                time.sleep(moments.uniform(0, whole))
                victim.kill()
                after.append("its end" if victim.wait() == 0 else "some steps")
            assert held() == before
            primary.forwarded(100)
            assert secondary(lab).wait(120) == 0
        tell(capsys, "secondary", after)
        primary.quit()
    assert not kernel.complaints()


@pytest.mark.one_kernel
@pytest.mark.usefixtures("no_dead_sockets")
@pytest.mark.parametrize("preload", [True, False], ids=["plugin", "stock"])
def test_secondary_killed_while_it_asks_for_memory(lab, preload):
    """DPDK's heap stays locked by the dead: as under stock EAL, whoever allocates next waits."""
    eal, env = [*both(lab), "--proc-type=secondary"], plugin.environment(preload)
    with Testpmd(*both(lab), "--iova-mode=va", "-m", "64", preload=preload) as primary:
        primary.started()
        with subprocess.Popen(memory_client.command(eal, [lab.NIC0, "wait", "grow", "20"]), env=env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
            assert any("waiting" in line for line in victim.stdout)
            primary.process.send_signal(signal.SIGSTOP)
            victim.stdin.close()  # it goes on, to a request that nobody answers
            time.sleep(2)
            victim.kill()
        primary.process.send_signal(signal.SIGCONT)
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(memory_client.command(eal, [lab.NIC0, "grow", "20"]), env=env, timeout=20,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        primary.command("start")  # what allocates nothing goes on
