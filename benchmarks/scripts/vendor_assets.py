"""Make the dashboard that asv published independent of other hosts.

python benchmarks/scripts/vendor_assets.py benchmarks/.asv/html

Its page takes jQuery, Flot and Bootstrap from content delivery networks.  npm fetches the same
versions from the package registry; they are put beside the page, which then names them there.
"""

import argparse
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

# What the page calls a file -> its package, and its path there.
ASSETS = {
    "jquery-3.3.1.min.js": ("jquery@3.3.1", "dist/jquery.min.js"),
    "jquery.flot.min.js": ("flot@0.8.3", "jquery.flot.js"),
    "jquery.flot.time.min.js": ("flot@0.8.3", "jquery.flot.time.js"),
    "jquery.flot.selection.min.js": ("flot@0.8.3", "jquery.flot.selection.js"),
    "jquery.flot.categories.min.js": ("flot@0.8.3", "jquery.flot.categories.js"),
    "jquery.flot.orderBars.js": ("flot-orderbars@1.0.0", "js/jquery.flot.orderBars.js"),
    "stupidtable.min.js": ("stupid-table-plugin@1.1.3", "stupidtable.min.js"),
    "md5.min.js": ("blueimp-md5@2.19.0", "js/md5.min.js"),
    "bootstrap.min.js": ("bootstrap@3.1.1", "dist/js/bootstrap.min.js"),
    "bootstrap.min.css": ("bootstrap@3.1.1", "dist/css/bootstrap.min.css"),
}
# Of the style sheet of Bootstrap, which names it as ../fonts.
FONT = ("bootstrap@3.1.1", "dist/fonts/glyphicons-halflings-regular.woff")
REMOTE = re.compile(r"""\b(src|href)="https?://[^"]*?([^"/]+\.(?:js|css))"([^>]*)""")
# A checksum of the bytes that the other host would send.
INTEGRITY = re.compile(r'\s+(?:integrity|crossorigin|referrerpolicy)="[^"]*"')


def fetched(package, folder):
    """The archive of a package, as bytes of each of its files."""
    done = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(Path(folder, done.stdout.split()[-1])) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        return {m.name.partition("/")[2]: archive.extractfile(m).read() for m in files}


def localised(text):
    """The page with the names of local files, and the names that it asks for."""
    names = []

    def local(match):
        attribute, name, rest = match.groups()
        if name not in ASSETS:
            raise ValueError(f"the page of asv asks for {name}, which ASSETS does not know")
        names.append(name)
        return f'{attribute}="vendor/{name}"{INTEGRITY.sub("", rest)}'

    return REMOTE.sub(local, text), names


def vendor(site, fetch=fetched):
    """Rewrite index.html of a published dashboard, and put beside it what it asks for."""
    page = site / "index.html"
    text, names = localised(page.read_text())
    targets = {f"vendor/{name}": ASSETS[name] for name in names}
    if "bootstrap.min.css" in names:
        targets[f"fonts/{Path(FONT[1]).name}"] = FONT
    with tempfile.TemporaryDirectory() as folder:
        needed = {package for package, _ in targets.values()}
        packages = {package: fetch(package, folder) for package in needed}
    for target, (package, path) in targets.items():
        (site / target).parent.mkdir(exist_ok=True)
        (site / target).write_bytes(packages[package][path])
    page.write_text(text)
    return names


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="folder that asv published")
    found = vendor(parser.parse_args().site)
    print(f"{len(found)} files of other hosts are now local")
