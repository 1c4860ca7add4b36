"""Countries, special ranges, network groups and sample rates, which ship with the package.

files.py  Numbering data as files: those that ship with the package, or the operator's own
"""
