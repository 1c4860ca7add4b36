"""The command line, a noun a file: what it asks of the store, and how it shows the answers.

What a file needs to describe its verbs is imported at its head; what it needs to do them, where it does them.
"""
