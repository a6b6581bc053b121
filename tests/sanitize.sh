#!/usr/bin/env bash
# Run tests under AddressSanitizer + UndefinedBehaviorSanitizer and under ThreadSanitizer, with gcc.
# Loops are shared by threads of our own, through primitives that ThreadSanitizer knows.
#
#   tests/sanitize.sh [address|thread|all] [test paths, default: tests]
#
# PYTHON names an interpreter that has kroncy's build and test requirements.  The package is built
# in a temporary folder; nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
which=all
case "${1:-}" in address | thread | all) which=$1; shift ;; esac
tests=("${@:-tests}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # build NAME FLAGS: the package, compiled with FLAGS, into $work/NAME
    local source="$work/source-$1"
    mkdir "$source"
    tar -c --exclude='*.so' --exclude=__pycache__ setup.py pyproject.toml README.md LICENSE kroncy |
        tar -x -C "$source"
    # ThreadSanitizer does not see the barriers of OpenMP, and would fail the program by which setup.py
    # looks for it; without OpenMP there is one thread.
    TSAN_OPTIONS=report_bugs=0 KRONCY_CFLAGS="-O1 -g -fno-omit-frame-pointer $2" \
        "$PYTHON" -m pip install --quiet --no-build-isolation --no-deps --target "$work/$1" "$source"
}

run() { # run NAME VARIABLES...: the tests on that build; a report ends the process
    local name=$1
    shift
    echo "== $name: ${tests[*]}"
    # Estimates of memory are left out: a sanitizer takes several times as much.  So are frames: polars
    # does not load beside ThreadSanitizer.
    # Python's own allocator hides overruns: PYTHONMALLOC=malloc shows them.  ThreadSanitizer wants
    # fixed addresses: setarch -R.
    setarch -R env PYTHONPATH="$work/$name" PYTHONMALLOC=malloc OPENBLAS_NUM_THREADS=1 "$@" \
        "$PYTHON" -P -c '
import sys, pytest, kroncy
from kroncy._base.threads import resolve_threads
assert kroncy.__file__.startswith(sys.argv[1]), kroncy.__file__
assert resolve_threads(2) == 2, "built without threads"
sys.exit(pytest.main(["-q", "-x", "-s", "--ignore=tests/network/test_memory_estimates.py",
                      "--ignore=tests/data/test_from_frames.py", *sys.argv[2:]]))' "$work" "${tests[@]}"
}

runtime() { # the shared runtime libraries of a compiler, joined for LD_PRELOAD
    local compiler=$1 found=() library
    shift
    for library in "$@"; do found+=("$("$compiler" -print-file-name="$library")"); done
    (IFS=:; echo "${found[*]}")
}

if [ "$which" != thread ]; then
    build address "-fsanitize=address,undefined -fno-sanitize-recover=undefined"
    # CPython keeps memory until it exits, so leaks cannot be told from its own.
    # CFLAGS: the extensions that tests/capi builds are watched too.
    run address LD_PRELOAD="$(runtime gcc libasan.so libubsan.so libstdc++.so)" \
        CFLAGS="-fsanitize=address,undefined" \
        ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:allocator_may_return_null=1
fi

if [ "$which" != address ]; then
    build thread "-fsanitize=thread"
    # CPython and OpenBLAS are not watched, but the locks that they take are.  glibc frees the
    # thread-local variables of a thread that has ended when another one ends, in an order of its own.
    echo race:_dl_deallocate_tls > "$work/suppressions"
    run thread LD_PRELOAD="$(runtime gcc libtsan.so libstdc++.so)" \
        TSAN_OPTIONS="halt_on_error=1:exitcode=66:suppressions=$work/suppressions"
fi
echo "no findings"
