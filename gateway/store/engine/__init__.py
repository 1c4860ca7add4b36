"""The database itself: its engine, tables and migrations, secrets at rest, whose name it is.

batch_schema.py  The tables of batches: who is to be called, how far it has come, rows that were left out
column_types.py  Types of columns that are the same to the code on SQLite and PostgreSQL
database.py      The database itself: its engine, its transactions, its migrations
errors.py        What the store says when it cannot do what was asked
ids.py           Identifiers: a prefix that says what it is, then a time-ordered random part
private.py       Folders and files for their owner's eyes only: calls, numbers and sealed secrets are in
                 them
queue.py         A bounded first-in, first-out queue on disk: what it holds outlives the process
schema.py        The tables. `migrations/` makes them; a test holds the two to each other
seal.py          Secrets at rest: sealed with a key that is not in the database
tenure.py        A gateway's name is one process's at a time: two of one name would close each other's calls
"""
