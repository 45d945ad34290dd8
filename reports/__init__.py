"""Tables, plots and pages made from results; the reproductions of published tables.

Imports every other room; only the command line imports this one.
"""
