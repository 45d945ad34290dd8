"""The functions that ``import fastswitch`` gives, one file for each thing that one does with a network.

They take values (a SuperNet, a SubNet, an Accelerator), or names of what is known by name, and return values.
"""
