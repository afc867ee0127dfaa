"""Links the kernel tables and holds K, the chosen one: the best this CPU runs, or what ENGINE_ISA names."""

import os


def compiled():
    """Names of the instruction sets that were built, best first."""
    return [isa_table(i).isa.decode() for i in range(isa_count())]


def isas():
    """Names of the instruction sets that were built and run on this CPU, best first."""
    return [isa_table(i).isa.decode() for i in range(isa_count()) if isa_runs(i)]


def isa():
    """Name of the instruction set in use."""
    return K.isa.decode()


def tile():
    """Rows and columns of the register tile in use; tests choose sizes around them."""
    return K.mr, K.nr


def use_isa(str name not None):
    """Switch to the instruction set `name` (one of `isas()`); ValueError if there is none.

    For tests and benchmarks: not while another thread computes.
    """
    global K
    for i in range(isa_count()):
        if isa_runs(i) and isa_table(i).isa.decode() == name:
            K = isa_table(i)
            return
    why = "was not compiled in" if name not in compiled() else "does not run on this CPU"
    raise ValueError(f"instruction set {name!r} {why}; there are: {', '.join(isas())}")


def cpu_features():
    """Names of this CPU's features that matter to the kernels."""
    names = []
    while cpu_feature(len(names)) != NULL:
        names.append(cpu_feature(len(names)).decode())
    return names


def _choose():
    wanted = os.environ.get("ENGINE_ISA", "")
    if wanted:
        try:
            use_isa(wanted)
        except ValueError as error:
            raise ValueError(f"ENGINE_ISA: {error}") from None
    elif isas():
        use_isa(isas()[0])
    else:
        raise ImportError(f"this CPU runs none of the instruction sets that were built: {', '.join(compiled())}")


_choose()
