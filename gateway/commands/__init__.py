"""The command line, a noun a file: what it asks of the store, and how it shows the answers."""
