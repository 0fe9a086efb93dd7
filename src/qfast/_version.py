"""The version, written once: the build (pyproject.toml, CMakeLists.txt) reads this file."""

__version__ = "0.1.0"
