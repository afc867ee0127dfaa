"""`python -m benchmarks versus|gpu|costs|epochs|training`: what each is for, and on to it."""

import importlib
import sys

COMMANDS = {  # name -> (module, what it does)
    "versus": ("benchmarks.command", "speed, memory and start beside other frameworks; writes RESULTS"),
    "gpu": ("benchmarks.gpu.command", "networks on a GPU beside PyTorch on the same; writes RESULTS"),
    "costs": ("benchmarks.costs", "which kernels a training step spends its time in"),
    "epochs": ("benchmarks.epochs", "epochs of MNIST or CIFAR-10 with data loading, beside PyTorch, in turns (long)"),
    "training": (
        "benchmarks.training",
        "accuracies after whole trainings beside PyTorch, several seeds a side (very long)",
    ),
}


def main(arguments=None):
    """Run the command that was named; the exit code."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name not in COMMANDS:
        print("usage: python -m benchmarks COMMAND ... (COMMAND --help says more)\n")
        print("\n".join(f"  {command:9} {text}" for command, (_, text) in COMMANDS.items()))
        return 0 if name in ("-h", "--help") else 2
    return importlib.import_module(COMMANDS[name][0]).main(rest)


if __name__ == "__main__":
    sys.exit(main())
