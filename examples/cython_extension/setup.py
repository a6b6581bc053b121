from Cython.Build import cythonize
from setuptools import Extension, setup

import kroncy

setup(
    ext_modules=cythonize(
        [
            Extension(
                "kroncy_cython_example",
                ["kroncy_cython_example.pyx"],
                include_dirs=[kroncy.get_include()],
                extra_compile_args=["-fopenmp"],
                extra_link_args=["-fopenmp"],
            )
        ],
        language_level=3,
    )
)
