"""Call records: written in batches, on disk while the database is away, read in pages.

call_minutes.py  How many calls of a batch began in each minute, and how many of them were answered
call_pages.py  Call records in pages: a filter as a query that is read off an index
call_table.py  Call records in the database: written in batches, read one by one, deleted when they are old
call_texts.py  What agent runtimes post about a call after it: transcript, summary, sentiment, extracted
               fields
calls.py       Call records as the store keeps them, and how to ask for them
closing.py     What a killed run left open: its calls end at its last sign of life, with the length and
               price of that
journal.py     Call records on disk while the database is away: one line of JSON each, synced before it
               counts
refusals.py    Requests for calls that were refused: a bounded list for each workspace, since there is no
               call record
requests.py    Requests for calls that may come twice: whoever asks again under the same key gets the same
               call
writer.py      Saves call records without ever making a call wait
"""
