from setuptools import Extension, setup

import kroncy

setup(
    ext_modules=[
        Extension(
            "kroncy_c_example",
            ["kroncy_c_example.c"],
            include_dirs=[kroncy.get_include()],
            extra_compile_args=["-std=c11", "-pthread", "-Wall", "-Wextra", "-Werror"],
            extra_link_args=["-pthread"],
        )
    ]
)
