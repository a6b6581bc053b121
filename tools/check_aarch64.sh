#!/usr/bin/env bash
# Every kernel compiled for aarch64; two of them run under an emulator.
# Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
headers=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')
flags=(-O3 -fno-math-errno -fno-trapping-math -std=gnu11 -Wno-psabi -fopenmp
       -Werror=implicit-function-declaration "-I$headers")
while IFS= read -r folder; do flags+=("-I$folder"); done < <(find kroncy -name '*.h' -printf '%h\n' | sort -u)
count=0
for source in $(find kroncy -name '*_kernel.c'); do
    aarch64-linux-gnu-gcc "${flags[@]}" -c "$source" -o "$work/$(basename "$source" .c).o"
    count=$((count + 1))
done
aarch64-linux-gnu-gcc "${flags[@]}" tests/cross_smoke.c "$work"/_finite_kernel.o \
    "$work"/_fired_kernel.o -lm -o "$work/smoke"
qemu-aarch64 -L /usr/aarch64-linux-gnu "$work/smoke"
echo "$count kernels compiled for aarch64"
