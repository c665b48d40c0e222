#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What of `dpdk-ioasid guard` needs no kernel: its arguments and its configuration.

devtools/tests/guard has the rest.
"""

import os
import sys

import pytest

from command import run
from place import COMMAND

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may have a configuration"),
    pytest.mark.skipif("built without it" in os.popen(f"{COMMAND} guard status 2>&1").read(),
                       reason="the command was built without the guard"),
]


@pytest.fixture
def conf(tmp_path):
    return tmp_path / "etc/guard.conf"


def change(what, conf, *words, status=0):
    return run("guard", what, f"--config={conf}", *words, status=status)


def test_arguments():
    for words in ((), ("walk",), ("start", "now"), ("allow",), ("allow", "device"),
                  ("start", "--rule", "none"), ("status", "--nonsense")):
        run("guard", *words, status=2)
    assert "start|stop|status|log" in run("guard", "--help")


@pytest.mark.parametrize("line, why", [
    ("allow device 03:02", '"03:02" is not a PCI address'),
    ("allow device", '"allow" does not begin a line as'),
    ("allow device 0000:03:02.0 0000:03:02.1", '"allow" does not begin a line as'),
    ("allow devices 0000:03:02.0", '"devices" cannot be allowed'),
    ("allow cgroup pods", '"pods" is not a cgroup\'s path'),
    ("allow cgroup /", '"/" is every process'),
    ("allow cgroup /../x", "goes up"),
    (f"allow cgroup /{'x' * 128}", "is too long or too deep"),
    ("allow cgroup /" + "/".join("abcdefghijklmnopq"), "is too long or too deep"),
    ("allow group -1", '"-1" is not a number'),
    ("allow group 99999999999999999999", "is not a number"),
    ("allow group 1x", "is not a number"),
    ("allow uid 0", '"0" is root'),
    ("allow uid 4294967295", "is not a number"),
    ("allow all", '"allow" does not begin a line as'),
    ("mode off", '"off" is no mode'),
    ("rule none", '"none" is no rule'),
    ("mode", '"mode" does not begin a line as'),
    ("deny device 0000:03:02.0", '"deny" does not begin a line as'),
    ("\0", "is followed by a NUL"),
])
def test_bad_line(conf, line, why):
    """It is named, and nothing else is done."""
    conf.parent.mkdir()
    conf.write_text(f"# ours\nmode enforce\n\n{line}  # so\nrule bound\n")
    text = run("guard", "start", f"--config={conf}", status=1)
    assert f"{conf}, line 4: " in text and why in text
    assert len(text.splitlines()) == 1


def test_configuration_of_others(conf):
    conf.parent.mkdir()
    conf.write_text("mode enforce\n")
    os.chmod(conf, 0o664)
    assert "may be written by others than root" in change("start", conf, status=1)
    os.chmod(conf, 0o644)
    os.chown(conf, 1000, 1000)
    assert "may be written by others than root" in change("start", conf, status=1)


def test_configuration_is_no_file(conf):
    conf.mkdir(parents=True)
    assert "cannot be read: Is a directory" in change("start", conf, status=1)


def test_allow_and_deny(conf):
    """Comments and all else stay; what is there already is not added again."""
    change("allow", conf, "device", "3:2.0")
    assert conf.read_text() == "allow device 0000:03:02.0\n"
    assert conf.stat().st_mode & 0o777 == 0o644
    conf.write_text("# ours\nrule joined # so\nallow  device 0000:03:02.0 # the disk\n")
    change("allow", conf, "device", "0000:03:02.0")
    change("allow", conf, "cgroup", "//pods/a/")
    change("allow", conf, "group", "007")
    change("allow", conf, "uid", "1000")
    assert conf.read_text() == ("# ours\nrule joined # so\nallow  device 0000:03:02.0 # the disk\n"
                                "allow cgroup /pods/a\nallow group 7\nallow uid 1000\n")
    change("deny", conf, "device", "03:02.0")
    change("deny", conf, "cgroup", "/pods/a")
    assert conf.read_text() == "# ours\nrule joined # so\nallow group 7\nallow uid 1000\n"
    assert "does not allow device 0000:03:02.0" in change("deny", conf, "device", "3:2.0", status=1)
    assert os.listdir(conf.parent) == ["guard.conf"]


def test_what_cannot_be_allowed(conf):
    for words in (("uid", "0"), ("device", "x"), ("cgroup", "/"), ("everything", "1")):
        change("allow", conf, *words, status=2)
        change("deny", conf, *words, status=2)
    assert not conf.exists()


def test_bad_file_is_not_changed(conf):
    conf.parent.mkdir()
    conf.write_text("nonsense\n")
    assert "line 1" in change("allow", conf, "uid", "7", status=1)
    assert conf.read_text() == "nonsense\n"


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", *sys.argv[1:], __file__]))
