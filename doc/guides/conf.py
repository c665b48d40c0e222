# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx: the guides as HTML, and the man pages."""

# Sphinx wants it lower-case: pylint: disable=invalid-name
project = "dpdk-ioasid"
author = "the dpdk-ioasid authors"
project_copyright = "2026, " + author
# `release` comes from meson.

exclude_patterns = []
highlight_language = "none"
html_theme = "alabaster"
html_theme_options = {
    "description": "DPDK devices over /dev/ioasid",
    "page_width": "1080px",
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_copy_source = False
html_show_sphinx = False
# Options and BDFs are typed as they are printed: "--", not a dash.
smartquotes = False

man_pages = [
    ("man/dpdk-ioasid.1", "dpdk-ioasid", "DPDK's devices over /dev/ioasid, isolated",
     author, 1),
    ("man/dpdk-ioasid.7", "dpdk-ioasid", "the plugin for DPDK applications", author, 7),
]
