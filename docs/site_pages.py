"""What the site has beside the pages of docs/: the API, the command line, pages of the root.

Everything is written into docs/_generated, which is made anew by each build.
"""

import argparse
import importlib
import inspect
import re
import shutil
import tempfile
from pathlib import Path

import check_api
from sphinx_gallery.scrapers import figure_rst

from kroncy.cli.commands import make_parser

ROOT = Path(__file__).parents[1]
FIGURES = Path(tempfile.gettempdir(), "kroncy-gallery")

# Files outside of docs/, and what their page is called.
ROOT_PAGES = {
    "CHANGELOG.md": "changelog",
    "CODE_OF_CONDUCT.md": "code_of_conduct",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "benchmarks/README.md": "dashboard",
}
COMMAND_LINE = """# Command line

`kroncy --help` and `kroncy COMMAND --help` print these texts.
"""


def write_all(folder):
    """Write every generated page."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "api").mkdir(parents=True)
    write_root_pages(folder)
    (folder / "command-line.md").write_text(COMMAND_LINE + "".join(command_sections()))
    for path in check_api.MODULES:
        write_module(path, folder / "api")


# -- Pages of the root ----------------------------------------------------------------------------


def write_root_pages(folder):
    """Copies of the pages outside of docs/, whose links lead to pages of the site."""
    for name, page in ROOT_PAGES.items():
        source = ROOT / name

        def moved(match, source=source):
            target, hash_sign, anchor = match[1].partition("#")
            if ":" in target or not target:
                return match[0]
            path = (source.parent / target).resolve().relative_to(ROOT).as_posix()
            page = ROOT_PAGES.get(path)
            return f"]({page + '.md' if page else '../../' + path}{hash_sign}{anchor})"

        text = re.sub(r"\]\(([^)\s]+)\)", moved, source.read_text())
        (folder / f"{page}.md").write_text(text)


def drop_empty_patterns(app, docname, source):
    """Leave out the lines of a list of pages, such as pairs*, that name no page."""

    def has_page(line):
        return not re.fullmatch(r"[\w-]+\*", line) or any(Path(app.srcdir).glob(f"{line}.md"))

    source[0] = "\n".join(filter(has_page, source[0].split("\n")))


# -- Command line ---------------------------------------------------------------------------------


def command_sections():
    """The help of `kroncy` and of each command, as sections."""
    parser = make_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in {"kroncy": parser, **commands.choices}.items():
        title = name if command is parser else f"kroncy {name}"
        yield f"\n## {title}\n\n```text\n{command.format_help().rstrip()}\n```\n"


# -- API ------------------------------------------------------------------------------------------


def underlined(title):
    """A title of reStructuredText."""
    return f"{title}\n{'=' * len(title)}\n\n"


def write_module(path, folder):
    """The page of a module with a table of what it has, and a page of each class and function."""
    members = dict(check_api.module_members(importlib.import_module(path)))
    text = underlined(path) + f".. automodule:: {path}\n   :no-members:\n\n"
    text += f".. currentmodule:: {path}\n\n"
    for title, is_kind in (("Classes", inspect.isclass), ("Functions", inspect.isroutine)):
        names = sorted(name for name, found in members.items() if is_kind(found))
        if names:
            text += f".. rubric:: {title}\n\n.. autosummary::\n   :nosignatures:\n\n"
            text += "".join(f"   {name}\n" for name in names) + "\n"
    text += ".. toctree::\n   :hidden:\n\n"
    text += "".join(f"   {path}.{name}\n" for name in sorted(members))
    (folder / f"{path}.rst").write_text(text)
    for name, found in members.items():
        page = class_page if inspect.isclass(found) else function_page
        (folder / f"{path}.{name}.rst").write_text(page(f"{path}.{name}", found))


def function_page(name, found):
    """The page of a function."""
    return f"{underlined(name)}.. autofunction:: {name}\n"


def class_page(name, found):
    """The page of a class with its public methods and properties, inherited ones included."""
    text = f"{underlined(name)}.. autoclass:: {name}\n   :no-members:\n"
    members = dict(check_api.class_members(found))
    for title, directive, is_property in (
        ("Properties", "autoproperty", True), ("Methods", "automethod", False),
    ):  # fmt: skip
        names = [n for n, member in members.items() if isinstance(member, property) is is_property]
        if names:
            text += f"\n   .. rubric:: {title}\n\n"
            text += "".join(f"   .. {directive}:: {name}.{member}\n" for member in names)
    return text


# -- Examples -------------------------------------------------------------------------------------


def example_arguments(conf, script_vars):
    """The arguments of an example: where its figure goes."""
    shutil.rmtree(FIGURES, ignore_errors=True)
    FIGURES.mkdir()
    return ["--out", str(FIGURES)]


def saved_figures(block, block_vars, gallery_conf):
    """The pictures that an example has saved, for its page."""
    targets = []
    for picture in sorted(FIGURES.glob("*.png")):
        targets.append(str(next(block_vars["image_path_iterator"])))
        shutil.move(picture, targets[-1])
    return figure_rst(targets, gallery_conf["src_dir"])
