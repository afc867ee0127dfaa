"""Kernel: a compiled function, and the one that serves where it declines. In C because every operation passes here."""

from cpython.object cimport PyObject_CallObject


cdef class Kernel:
    """Calls `function`; when that returns NotImplemented (a dtype or a layout is not its own), `fallback`."""

    cdef readonly object function, fallback

    def __init__(self, function, fallback):
        self.function = function
        self.fallback = fallback

    def __call__(self, *args):
        y = PyObject_CallObject(self.function, args)
        if y is NotImplemented:
            return PyObject_CallObject(self.fallback, args)
        return y
