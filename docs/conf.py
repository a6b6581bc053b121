"""Sphinx's settings: `make docs` builds the site in docs/_build/html, without a network."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]
os.environ["COLUMNS"] = "90"  # of the help that the command line prints

import site_pages  # noqa: E402

import kroncy  # noqa: E402

project = "kroncy"
author = "the kroncy developers"
copyright = author
version = release = kroncy.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
suppress_warnings = ["config.cache"]  # of functions in the settings of the gallery

myst_heading_anchors = 3

autosummary_generate = False
autodoc_typehints = "none"  # numpydoc's sections name the types
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "_generated/examples",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"_extension|setup\.py",
    "within_subsection_order": "FileNameSortKey",
    "reset_argv": site_pages.example_arguments,
    "image_scrapers": (site_pages.saved_figures,),
    "reset_modules": (),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 10**6,  # times of this machine tell a reader nothing
    "thumbnail_size": (640, 224),
}

html_theme = "pydata_sphinx_theme"
html_title = "kroncy"
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "show_prev_next": True,
    "navigation_with_keys": False,
    "logo": {"text": "kroncy", "image_light": "_static/icon.svg", "image_dark": "_static/icon.svg"},
}

site_pages.write_all(HERE / "_generated")


def setup(app):
    """Let the guide name pages by a pattern that may match none."""
    app.connect("source-read", site_pages.drop_empty_patterns)
