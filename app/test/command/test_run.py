# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-ioasid run, with programs made on the spot: `meson test run`."""

import os
import re
import subprocess
import sys

import pytest

from place import COMMAND, PLUGIN

EAL = ["--no-pci", "--no-huge", "--no-shconf", "-m", "64", "-l", "0"]
SUBCOMMANDS = ("run", "check", "bind", "unbind", "bench", "cdi", "dts-tree")

pytestmark = pytest.mark.skipif(
    os.environ.get("DPDK_IOASID_SANITIZED") == "1",
    reason="a plugin with sanitizers cannot be preloaded into other programs")

APPLICATION = """
    #include <stdio.h>
    #include <stdlib.h>
    int rte_eal_init(int argc, char **argv);
    int rte_eal_cleanup(void);
    int application(int argc, char **argv)
    {
        if (rte_eal_init(argc, argv) < 0)
            return 1;
        system("echo \\"children: [$LD_PRELOAD] [$DPDK_IOASID_OPTS]\\"");
        return rte_eal_cleanup();
    }
"""
MAIN = "int application(int, char **);\nint main(int c, char **v) { return application(c, v); }\n"
# As VPP has it: DPDK comes with a plugin of its own.
LATER = """
    #include <dlfcn.h>
    int main(int argc, char **argv)
    {
        void *library = dlopen(LIBRARY, RTLD_NOW);
        int (*application)(int, char **);

        if (library == 0)
            return 3;
        *(void **)&application = dlsym(library, "application");
        return application(argc, argv);
    }
"""


def run(*args, status=0, env=None):
    result = subprocess.run([COMMAND, *args], env={**os.environ, **(env or {})}, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                            check=False, stdin=subprocess.DEVNULL)
    print(result.stdout)
    assert result.returncode == status
    return result.stdout


def compile_it(path, source, *words):
    flags = subprocess.run(["pkg-config", "--libs-only-L", "libdpdk"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", path, *flags, *words], input=source, text=True,
                   check=True)
    return str(path)


@pytest.fixture
def program(tmp_path):
    return compile_it(tmp_path / "program", APPLICATION + MAIN, "-lrte_eal")


def test_it_is_under_the_plugin(program):
    """Its own children are not, and get no options that are not theirs."""
    text = run("run", "--allow-insecure-vfio", "--", program, *EAL,
               "--log-level=iommu.ioasid:debug", env={"LD_PRELOAD": "", "DPDK_IOASID_OPTS": ""})
    assert "IOASID: of what librte_eal.so" in text
    [(preloaded, options)] = re.findall(r"^children: \[(.*)\] \[(.*)\]$", text, re.M)
    assert preloaded.strip() == "" and options.strip() == ""


def test_all_options_of_the_plugin(program):
    """As they are in the application's own --help."""
    own = set(re.findall(r"^  (--[\w-]+)", run("run", program, *EAL, "--help"), re.M))
    ours = {name for name in own if "ioasid" in name or "vfio-device-fd" in name or
            name == "--allow-insecure-vfio"}
    assert len(ours) == 6
    assert ours <= set(re.findall(r"(--[\w-]+)", run("run", "--help")))
    text = run("run", "--ioasid-iova-window=nonsense", program, *EAL, status=1)
    assert '--ioasid-iova-window "nonsense": give START:LENGTH' in text
    assert "fd 777 is not open" in run("run", "--vfio-device-fd", "01:00.0=777", program, *EAL,
                                       status=1)


@pytest.mark.parametrize("words", [["taskset", "1"], ["timeout", "60"], ["nice", "-n", "1"],
                                   ["env", "X=y"], ["setpriv", "--no-new-privs"]],
                         ids=lambda words: words[0])
def test_words_before_the_application(program, words):
    """They start it, and what they are is nobody's business: the error says where to stand."""
    text = run("run", "--", *words, program, *EAL, status=125)
    assert f"right before {program}" in text
    text = subprocess.run([*words, COMMAND, "run", "--", program, *EAL,
                           "--log-level=iommu.ioasid:debug"], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    assert "IOASID: of what librte_eal.so" in text


def test_application_that_loads_dpdk_later(tmp_path):
    library = compile_it(tmp_path / "later.so", APPLICATION, "-shared", "-fPIC", "-lrte_eal")
    host = compile_it(tmp_path / "host", LATER, f'-DLIBRARY="{library}"', "-ldl")
    assert "--dpdk-library" in run("run", "--", host, *EAL, status=125)
    text = run("run", "--dpdk-library", library, "--", host, *EAL,
               "--log-level=iommu.ioasid:debug")
    assert "IOASID: of what librte_eal.so" in text
    assert "No such file" in run("run", "--dpdk-library=/nowhere.so", "--", host, status=125)
    other = compile_it(tmp_path / "other.so", "int nothing;", "-shared", "-fPIC")
    assert "does not use DPDK's shared libraries" in run("run", "-l", other, "--", host, status=125)


@pytest.mark.parametrize("more", [{}, {"ASAN_OPTIONS": "detect_leaks=0"}], ids=["", "own options"])
def test_application_with_address_sanitizer(tmp_path, more):
    program = compile_it(tmp_path / "asan", APPLICATION + MAIN, "-fsanitize=address", "-lrte_eal")
    env = {"LSAN_OPTIONS": "detect_leaks=0", **more}
    text = run("run", "--", program, *EAL, "--log-level=iommu.ioasid:debug", env=env)
    assert "IOASID: of what librte_eal.so" in text
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.strip()
    run("run", "--", program, *EAL, env={**env, "LD_PRELOAD": os.path.realpath(library)})


@pytest.mark.parametrize("name", ["with blank", "with:colon"])
def test_path_that_the_dynamic_linker_splits(tmp_path, program, name):
    (tmp_path / name).mkdir()
    copy = tmp_path / name / "librte_iommu_ioasid.so"
    copy.write_bytes(open(PLUGIN, "rb").read())
    text = run("run", "--", program, *EAL, status=125, env={"DPDK_IOASID_PLUGIN": str(copy)})
    assert "a path with a blank or a colon" in text
    (tmp_path / "link").symlink_to(copy.parent)
    link = tmp_path / "link" / copy.name
    text = run("run", "--", program, *EAL, env={"DPDK_IOASID_PLUGIN": str(link)})
    assert "children: [" in text


def test_plugin_that_cannot_be_loaded(tmp_path, program):
    """Of the right ABI, but what else it needs is gone."""
    gone = tmp_path / "libgone.so"
    compile_it(gone, "int gone;", "-shared", "-fPIC")
    plugin = compile_it(tmp_path / "plugin.so", "int x;", "-shared", "-fPIC", "-Wl,--no-as-needed",
                        "-lrte_eal", str(gone))
    gone.unlink()
    text = run("run", "--", program, *EAL, status=125, env={"DPDK_IOASID_PLUGIN": plugin})
    assert "cannot be preloaded" in text and "children" not in text


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_in_each_way(name):
    text = run(name, "--help")
    assert text.startswith(f"Usage: dpdk-ioasid {name}")
    assert run(name, "-h") == run("help", name) == text


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", *sys.argv[1:], __file__]))
