"""One row per operation: samples of its inputs. Gradients, backends, instruction sets and layouts are tested from it.

The rows stand in `rows/`, one file per family; what a row is made of, in `samples.py`.
"""

import importlib
import pkgutil

import rows

ROWS = [
    row for module in pkgutil.iter_modules(rows.__path__, "rows.") for row in importlib.import_module(module.name).ROWS
]
