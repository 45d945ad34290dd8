"""Decisions: tiling, the Program, what to keep in the Persistent Buffer, which SubNet serves a query.

Imports :mod:`arch_model` only.
"""
