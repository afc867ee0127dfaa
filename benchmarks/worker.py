"""The loop of a worker process: one JSON object a line in, one a line out.

    {"do": "info"}                                            versions and settings
    {"do": "prepare", "name", "task", "arrays", "layout", "threads", "isa", ...}   build a task; `arrays` is an .npz file
    {"do": "outputs", "name", "path"}                         what the task computes, written as .npz
    {"do": "turn", "name", "seconds"}                         median seconds of a call
    {"do": "steps", "name", "count"}                          what a number of calls did to the process's memory
    {"do": "forget"}                                          drop all tasks

An exception is answered with {"error": traceback}; the loop goes on.
"""

import json
import os
import platform
import sys
import traceback

import numpy

from benchmarks import process


class Framework:
    """What the loop asks of a framework, with the answers of one that needs nothing; `name`: its name and version."""

    name = ""

    def info(self, **more):
        return {
            "name": self.name,
            "versions": f"Python {platform.python_version()}, NumPy {numpy.__version__}",
            **more,
        }

    def settle(self, threads, isa):
        """Threads and instruction set of what runs next; nothing where both were settled at the start."""

    def array(self, value):
        """An output as a NumPy array."""
        return numpy.asarray(value)

    def misses(self):
        """How often its pool had to ask the system for memory; None: it has no pool."""
        return None

    def forget(self):
        """Drop what is kept beside the tasks."""


class Worker:
    """The tasks prepared so far, over one framework."""

    def __init__(self, fw, tasks):
        self.fw, self.makers, self.tasks = fw, tasks, {}

    def info(self):
        return self.fw.info()

    def prepare(self, name, task, arrays, layout, threads, isa, **params):
        with numpy.load(arrays) as file:
            loaded = dict(file)
        self.fw.settle(threads, isa)
        self.tasks[name] = self.makers[task](self.fw, loaded, layout, **params), threads, isa

    def outputs(self, name, path):
        task, threads, isa = self.tasks[name]
        self.fw.settle(threads, isa)
        numpy.savez(path, **{key: self.fw.array(value) for key, value in task.outputs().items()})

    def turn(self, name, seconds):
        task, threads, isa = self.tasks[name]
        self.fw.settle(threads, isa)
        task.restart()
        return task.turn(seconds)

    def steps(self, name, count):
        task, threads, isa = self.tasks[name]
        self.fw.settle(threads, isa)
        return process.watch(task.run, count, self.fw.misses)

    def forget(self):
        self.tasks.clear()
        self.fw.forget()


def serve(fw, tasks):
    """Answer lines until there are no more. What libraries print goes to standard error."""
    worker = Worker(fw, tasks)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        message = json.loads(line)
        try:
            reply = {"answer": getattr(worker, message.pop("do"))(**message)}
        except Exception:
            reply = {"error": traceback.format_exc()}
        print(json.dumps(reply), file=out, flush=True)
