# SPDX-License-Identifier: BSD-3-Clause
"""What is aimed at, and what was reached."""

from . import guest, table


def text(kernel, results):
    """Lines, for the parts that were measured."""
    lines = []
    for name, target, reached in [*setup(kernel, results), *ways(kernel, results),
                                  *areas(results), *others(results)]:
        lines.append(f"  {name:66} {target:5.2f}  {reached:6.2f}  "
                     f"{'reached' if reached >= target else 'NOT REACHED'}")
    return [f"targets {'':60} aim  median", *lines] if lines else []


def setup(kernel, results):
    if "setup" not in results:
        return
    aims = {"one file": 10, "file per page": 1.5} if kernel == "latest" else \
           {"one file": 2, "file per page": 2}
    for (layout, mib), who in table.cases("setup", results["setup"]).items():
        yield f"DMA set-up of {mib} MiB, {layout}", aims[layout], table.ratio(who, "map_ms")
        yield f"exit with {mib} MiB, {layout}", 1, table.ratio(who, "exit_ms")


def ways(kernel, results):
    """DPDK's other releases, in the place of stock EAL."""
    if "ways" not in results:
        return
    times = {row["way"]: row["map_ms"]["median"] for row in results["ways"]["rows"]
             if row["mib"] == guest.SETUP_SIZE and "map_ms" in row}
    if kernel == "latest":
        yield "26.11's way ÷ one file", 20, times["address_page"] / times["file_all"]
        yield "23.07's way ÷ one file", 10, times["type1_page"] / times["file_all"]
        yield "23.07's way ÷ file per page", 1.5, times["type1_page"] / times["file_page"]
    else:
        yield "23.07's way ÷ one call by address", 2, times["type1_page"] / times["address_all"]


def areas(results):
    """With two processors. The plugin's areas: a page each, or 256 MiB."""
    for (way, area), times in table.by_area(results["areas"]).items() if "areas" in results else ():
        if area in (2, 256):
            yield f"unmapping by two threads, by {way}, {area} MiB", 1.6, \
                table.gain(times, "unmap_ms")
        if (way, area) == ("file", 2):
            yield "mapping by two threads, by file, 2 MiB", 1.3, table.gain(times, "map_ms")


OTHERS = (
    # part, name, what for, whether more is better, aim (by number of devices)
    ("churn", "alloc_ms", "allocation of 64 MiB", False, 1),
    ("churn", "map_ms", "mapping in it", False, 1),
    ("devices", "open_ms", "opening", False, {1: 0.98, 8: 2.5, 16: 4}),
    ("devices", "close_ms", "closing", False, {1: 0.98, 8: 2.5, 16: 4}),
    ("start", "start_ms", "start of dpdk-testpmd", False, {1: 0.98, 8: 1 / 0.85}),
    ("start", "quit_ms", "exit of dpdk-testpmd", False, {1: 0.98, 8: 1 / 0.6}),
    ("forward", "mpps", "forwarding", True, 0.99),
)


def others(results):
    for part, name, what, more_is_better, aims in OTHERS:
        for case, who in table.cases(part, results[part]).items() if part in results else ():
            label = ", ".join(f"{key} {value}" for key, value in
                              zip(table.COLUMNS[part][0], case))
            aim = aims.get(case[0]) if isinstance(aims, dict) else aims
            if aim is not None:
                yield f"{what}, {label}", aim, table.ratio(who, name, more_is_better)
