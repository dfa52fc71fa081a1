"""The experiments of Silva (2023), chapters 3 and 6 to 8, made anew with our own parts.

Each figure is a module: ``python -m laboratory.figure_6_8`` from `benchmarks/`. What
they found is told in ``doc/laboratory.md``.
"""
