"""The database behind one protocol: routing tables in, call records out, and the configuration in between.

batches/          Batches: the queue of recipients, how far each has come, and the rows that were left out
configuration/    What people configure, by nouns: each change in one transaction with its line in the
                  history
engine/           The database itself: its engine, tables and migrations, secrets at rest, whose name it is
money/            Wallets, what running calls hold of them, what things cost, and what was bought
records/          Call records: written in batches, on disk while the database is away, read in pages
loaded_trunks.py  The trunks in memory, followed change by change, so that no change costs what all of them
                  cost
lots.py           Rows in lots, so that no transaction is long, and others have their turn in between
news.py           What has changed since a revision, as far as calls are concerned: read from the history of
                  the changes
protocol.py       What call control needs of a store
snapshot.py       Routing tables and trunks in memory, fresh enough for the next call
sql.py            The store on an SQL database: what `protocol.Store` promises, and the configuration beside
                  it
tables.py         What one routing decision needs, read from the database: about a dialled number, or about
                  a call out
"""
