"""Build kroncy's extensions; compiler features are tested with small programs before they are used.

Environment variables:
KRONCY_OPENMP=0   build serially (default: OpenMP where a test program compiles, links and runs)
KRONCY_NATIVE=1   tune for this machine alone (default: portable, SIMD level chosen at run time)
KRONCY_DEBUG=1    bounds checks and assertions on, no optimisation
KRONCY_CFLAGS     further flags for compiler and linker, e.g. a sanitizer's
KRONCY_EMULATOR   command that runs programs for another processor, e.g. qemu-aarch64 -L ROOT
"""

import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

DEBUG = os.environ.get("KRONCY_DEBUG", "0") == "1"
NATIVE = os.environ.get("KRONCY_NATIVE", "0") == "1"
OPENMP = os.environ.get("KRONCY_OPENMP", "1") == "1"
INCLUDE_DIRS = sorted({str(header.parent) for header in Path("kroncy").rglob("*.h")})
EXTRA = os.environ.get("KRONCY_CFLAGS", "").split()
EMULATOR = os.environ.get("KRONCY_EMULATOR", "").split()
try:
    CORES = len(os.sched_getaffinity(0))
except AttributeError:  # a system without CPU affinity
    CORES = os.cpu_count() or 1

OPENMP_PROGRAM = """
#include <omp.h>
int main(void) {
    int total = 0;
    #pragma omp parallel for reduction(+:total)
    for (int i = 0; i < 100; i++) total += i;
    return total == 4950 && omp_get_max_threads() >= 1 ? 0 : 1;
}
"""

# For compiler and for linker.  Apple's clang has OpenMP without a name for it, and libomp elsewhere.
OPENMP_FLAGS = [
    (["-fopenmp"], ["-fopenmp"]),
    (["-Xpreprocessor", "-fopenmp"], ["-lomp"]),
]

CLONES_PROGRAM = """
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
int twice(int x) { return 2 * x; }
int main(int argc, char **argv) { (void)argv; return twice(argc) == 2 * argc ? 0 : 1; }
"""


class ProbingBuildExt(build_ext):
    """build_ext that tries optional flags on a small program, and compiles each kernel once."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or CORES

    def build_extensions(self):
        # Python's own flags ask for debugging symbols: a quarter of the time of compiling.
        optimised = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"]
        compile_flags = ["-O0", "-g"] if DEBUG else optimised
        compile_flags += ["-std=gnu11", "-Wno-psabi", "-Werror=implicit-function-declaration"]
        compile_flags += EXTRA
        link_flags = [*EXTRA]
        macros = [("KRONCY_DEBUG", "1")] if DEBUG else []
        candidates = OPENMP_FLAGS if OPENMP else []
        for openmp_compile, openmp_link in candidates:
            if self._runs(OPENMP_PROGRAM, openmp_compile, openmp_link):
                compile_flags += openmp_compile
                link_flags += openmp_link
                break
        else:
            compile_flags.append("-Wno-unknown-pragmas")
        if NATIVE:
            compile_flags.append("-march=native")
            macros.append(("KRONCY_NATIVE", "1"))
        elif not DEBUG and self._runs(CLONES_PROGRAM):
            macros.append(("KRONCY_CLONES_WORK", "1"))
        objects = self._compile_kernels(compile_flags, macros)
        for extension in self.extensions:
            needed = [source for source in extension.sources if source in objects]
            extension.sources = [s for s in extension.sources if s not in objects]
            extension.extra_objects += [objects[source] for source in needed]
            extension.depends += needed
            extension.extra_compile_args += compile_flags
            extension.extra_link_args += link_flags
            extension.define_macros += macros
        super().build_extensions()

    def _compile_kernels(self, flags, macros):
        """Object file of each `_*_kernel.c` that an extension needs, all compiled side by side."""
        sources = {s for e in self.extensions for s in e.sources if s.endswith("_kernel.c")}
        headers = [str(header) for header in Path("kroncy").rglob("*.h")]

        def compiled(source):
            (target,) = self.compiler.object_filenames([source], output_dir=self.build_temp)
            if self.force or newer_group([source, *headers], target, "newer"):
                self.compiler.compile(
                    [source], output_dir=self.build_temp, macros=macros,
                    include_dirs=INCLUDE_DIRS, extra_postargs=flags,
                )
            return target

        with ThreadPoolExecutor(self.parallel) as pool:
            return dict(zip(sorted(sources), pool.map(compiled, sorted(sources)), strict=True))

    def _runs(self, program, compile_flags=(), link_flags=()):
        """Whether `program` compiles, links and runs with status 0 under these flags."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=[*compile_flags, *EXTRA]
                )
                self.compiler.link_executable(
                    objects, "probe", output_dir=folder, extra_postargs=[*link_flags, *EXTRA]
                )
                command = [*EMULATOR, str(Path(folder, "probe"))]
                return subprocess.run(command, timeout=60).returncode == 0
            except Exception as reason:  # a probe that fails in any way means: do without
                flags = " ".join(compile_flags) or "target_clones"
                print(f"kroncy: the compiler does not support {flags}: {reason}")
                return False


CIMPORT = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+cimport[ \t]+(\([^)]*\)|.*)", re.MULTILINE)


def cimports(path):
    """The .pxd files of kroncy that `path` cimports: modules, or names out of modules."""
    for source, names in CIMPORT.findall(path.read_text()):
        dots = len(source) - len(source.lstrip("."))
        if not dots and source.split(".")[0] != "kroncy":
            continue
        folder = path.parents[dots - 1] if dots else Path()
        module = Path(folder, *source.lstrip(".").split("."))
        for candidate in (module, *(module / name for name in re.findall(r"\w+", names))):
            if candidate.with_suffix(".pxd").exists():
                yield candidate.with_suffix(".pxd")


def kernels(pyx):
    """The C kernels to link with `pyx`: it, or a pxd that it cimports, names their headers."""
    found, pending, seen = set(), [pyx, pyx.with_suffix(".pxd")], set()
    while pending:
        path = pending.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        for name in re.findall(r'"(_\w+_kernel)\.h"', path.read_text()):
            found.add(path.with_name(name + ".c"))
            pending += [path.with_name(name + ".c"), path.with_name(name + ".h")]
        if path.suffix in (".pyx", ".pxd"):
            pending += cimports(path)
    return sorted(found)


def extensions():
    """One extension for each .pyx, with the C kernels that it calls linked in."""
    return [
        Extension(
            ".".join(pyx.with_suffix("").parts),
            sources=[str(source) for source in (pyx, *kernels(pyx))],
            depends=[str(header) for header in Path("kroncy").rglob("*.h")],
            include_dirs=INCLUDE_DIRS,
        )
        for pyx in sorted(Path("kroncy").rglob("*.pyx"))
    ]


setup(
    ext_modules=cythonize(
        extensions(),
        nthreads=CORES,
        language_level=3,
        compiler_directives={
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": DEBUG,
            "cdivision": not DEBUG,
            "freethreading_compatible": True,
        },
    ),
    cmdclass={"build_ext": ProbingBuildExt},
)
