# SPDX-License-Identifier: BSD-3-Clause
"""What is aimed at, and what was reached."""

from . import guest, table


def text(kernel, results):
    """Lines, for the parts that were measured."""
    lines = []
    for name, target, reached in [*setup(kernel, results), *ways(kernel, results),
                                  *others(results)]:
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


OTHERS = (
    # part, name, what for, aim, whether more is better
    ("churn", "alloc_ms", "allocation of 64 MiB", 1, False),
    ("churn", "map_ms", "mapping in it", 1, False),
    ("start", "quit_ms", "exit of dpdk-testpmd", 1, False),
    ("forward", "mpps", "forwarding", 0.99, True),
)


def others(results):
    for part, name, what, aim, more_is_better in OTHERS:
        for case, who in table.cases(part, results[part]).items() if part in results else ():
            label = ", ".join(f"{key} {value}" for key, value in
                              zip(table.COLUMNS[part][0], case))
            yield f"{what}, {label}", aim, table.ratio(who, name, more_is_better)
