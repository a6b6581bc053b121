# Two commands set everything up on a fresh machine: `make demo` and `make test`.
# Each builds kroncy, installs it into the private environment .venv, and works on that.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What a build reads: not the C that Cython makes of each .pyx.
SOURCES := $(shell find kroncy -name '*.py' -o -name '*.py[xi]' -o -name '*.pxd' -o -name '*.h' \
    -o -name '*_kernel.c' -o -name '*.npz') setup.py pyproject.toml

.PHONY: demo test lint hooks docs wheel oldest aarch64 bench bench-sections dashboard gate equal-bits sanitize clean
.DELETE_ON_ERROR:

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { echo "python venv is missing: apt-get install python3-venv python3-dev"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip

# The stamp says which extras are installed; kroncy is rebuilt when any source changed.
# Without isolation: SciPy is installed once, not once more for the build.
$(VENV)/installed: $(SOURCES) | $(VENV)/builders
	$(BIN)/python -m pip install --quiet --no-build-isolation ".[plot,test]"
	touch $@

$(VENV)/linters: | $(BIN)/python
	$(BIN)/python -m pip install --quiet ruff==0.14.* cython-lint==0.22.* codespell==2.4.* \
	    mypy==2.4.* numpydoc==1.11.* clang-format==23.* pre-commit==4.* pre-commit-hooks==6.* \
	    twine==7.* check-wheel-contents==0.6.*
	touch $@

# The extra "docs", without building kroncy for it once more.
$(VENV)/docs: | $(BIN)/python
	$(BIN)/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	    print(*project["optional-dependencies"]["docs"], sep="\n")' > $@.txt
	$(BIN)/python -m pip install --quiet --requirement $@.txt "playwright>=1.50"
	touch $@

# What pyproject.toml asks for to build: sanitize.sh builds without isolation.
$(VENV)/builders: | $(BIN)/python
	$(BIN)/python -m pip install --quiet "setuptools>=77" "Cython>=3.1" "scipy>=1.13"
	touch $@

$(VENV)/asv: | $(BIN)/python
	$(BIN)/python -m pip install --quiet "asv>=0.6.4" "virtualenv>=20"
	$(BIN)/asv machine --yes --config benchmarks/asv.conf.json
	touch $@

demo: $(VENV)/installed
	$(BIN)/kroncy demo --out demo-output

# -P keeps this folder off sys.path: the suite must import the installed package.  A process for each
# core, up to JOBS, takes whole files.
JOBS ?= 4
test: $(VENV)/installed
	$(BIN)/python -P -m pytest -q -n auto --maxprocesses $(JOBS) \
	    --dist loadfile tests --pyargs kroncy

# The hooks of .pre-commit-config.yaml on all files, then what would be uploaded.
lint: $(VENV)/linters $(VENV)/installed dist/built
	$(BIN)/pre-commit run --all-files
	$(BIN)/pre-commit run --all-files --hook-stage pre-push
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	$(BIN)/check-wheel-contents dist/*.whl

# From now on git runs the linters before it commits and pushes.
hooks: $(VENV)/linters $(VENV)/installed
	$(BIN)/pre-commit install

# Sphinx itself asks no network.  Doctests of the docstrings, programs of the pages, then each page in
# a browser (apt-get install chromium).
docs: $(VENV)/installed $(VENV)/docs
	rm -rf docs/_build
	$(BIN)/python -P -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html
	$(BIN)/python -P -m pytest -q -n auto --maxprocesses $(JOBS) \
	    --dist loadfile --pyargs kroncy tests/test_pages.py
	PYTHONPATH=tools $(BIN)/python -P -m pytest -q docs/test_site.py
	@echo "site: docs/_build/html/index.html"

# The sdist, and a wheel made of what the sdist holds.
dist/built: $(SOURCES) MANIFEST.in $(shell git ls-files tests tools docs examples benchmarks 2> /dev/null) | $(BIN)/python
	rm -rf dist
	$(BIN)/python -m pip install --quiet build==1.*
	$(BIN)/python -m build --outdir dist
	touch $@

# That wheel with libgomp in it, installed where there is no compiler, under the suite of the sdist;
# on the newest versions of its dependencies, or on the oldest that pyproject.toml allows.
wheel: dist/built
	PYTHON=$(PYTHON) JOBS=$(JOBS) tools/check_wheel.sh newest
oldest: dist/built
	PYTHON=$(PYTHON) JOBS=$(JOBS) tools/check_wheel.sh oldest

# The kernels for another processor: needs a cross compiler and qemu-user.
aarch64:
	tools/check_aarch64.sh

# Quick: every benchmark once, on what is installed; nothing is saved. See benchmarks/README.md.
ASV := $(abspath $(BIN))/asv
ASV_HERE := --config benchmarks/asv.conf.json --environment existing:$(abspath $(BIN))/python
bench: $(VENV)/installed $(VENV)/asv
	$(ASV) run --quick --show-stderr --dry-run $(ASV_HERE) --set-commit-hash HEAD

# Builds HEAD in an environment of asv's own and runs what has no result yet.  npm fetches what the
# pages would take from other hosts.
PORT ?= 8090
dashboard: $(VENV)/asv
	$(ASV) run --config benchmarks/asv.conf.json --skip-existing-successful 'HEAD^!'
	$(ASV) publish --config benchmarks/asv.conf.json
	$(BIN)/python benchmarks/scripts/vendor_assets.py benchmarks/.asv/html
	@echo "dashboard: http://127.0.0.1:$(PORT)/  (Ctrl-C ends it)"
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory benchmarks/.asv/html $(PORT)

# The deterministic counters against those pinned, and every benchmark once.
gate: $(VENV)/installed $(VENV)/asv
	$(BIN)/python benchmarks/scripts/gate.py
	$(ASV) check $(ASV_HERE)
	$(ASV) run --quick --show-stderr --dry-run $(ASV_HERE) --set-commit-hash HEAD

# Ratios within one run, each section in minutes: the figures of docs/benchmarks.md.
bench-sections: $(VENV)/installed
	for section in product features memory; do \
	    $(BIN)/python -P benchmarks/scripts/iteration.py $$section || exit 1; done

# The commit BASE and the present tree, each in an environment of its own: equal bit for bit?
BASE ?= HEAD
equal-bits: $(VENV)/installed
	$(BIN)/python -P benchmarks/scripts/equal_bits.py --base $(BASE)

# Needs gcc and time: SANITIZE="thread tests/trees" narrows it.
sanitize: $(VENV)/installed $(VENV)/builders
	PYTHON=$(CURDIR)/$(BIN)/python tests/sanitize.sh $(SANITIZE)

clean:
	rm -rf $(VENV) build dist demo-output docs/_build docs/_generated *.egg-info
	find kroncy -name '*.so' -delete
