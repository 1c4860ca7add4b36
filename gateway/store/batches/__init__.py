"""Batches in the store: what is to be done, the queue of recipients, and how far it has come.

batch_table.py  Batches in the database: written whole or not at all, moved from status to status, read in
                pages
recipients.py   The queue of recipients: taken in lots by whoever has the turn, each ended exactly once
recovery.py     Recipients that a dead process has left: found by who had them, given back or judged
values.py       Batches, recipients and counts as values
"""
