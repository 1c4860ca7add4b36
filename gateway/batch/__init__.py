"""A file of recipients becomes calls, and bad rows become an answer.

answers.py       what the batches answer: what was made or changed, what else waits, why nothing was
areas.py         time zones of area codes, where the number library's data is wrong
batches.py       all that people do with batches: check a file, make, start, pause, cancel, look
checker.py       what a row is: somebody to call, or the reason why not, by the rules of a single call
checking.py      a whole file: what came of each row, the groups of failures, what it would cost at most
columns.py       which column has the numbers, and what the others are called
desk.py          writes what becomes of recipients, many in one transaction
dialling.py      one running batch, as this gateway dials it
do_not_call.py   do-not-call lists as people bring them: texts to numbers, each once
engine.py        what makes batches go: gives turns, starts and stops, ends what has no time left
failures.py      why rows fail, in groups that say what mends them, and the file that is sent back
files/           bytes of an upload to rows of text, and the form that brings the file
guard.py         a batch stops itself while nothing but failures comes of its calls
hours.py         calling hours: whether they are, and when they are next, in all zones that count
hours_fields.py  calling hours from what people write
judging.py       what becomes of a recipient: before the call, when refused, and when it has ended
local.py         numbers without their country code, as the workspace's country dials them
lost_rows.py     recipients that a dead process has left: back into the queue, or judged
machine.py       the states of a batch and of a recipient, as tables, and why an action is refused
once.py          making a batch once, however often it is asked for
origin.py        who calls: the version that speaks, the numbers, and what calls cost
pace.py          how fast calls begin, and with which number each is made
results.py       what came of a batch, and of the rows that were left out, as CSV files
retrying.py      whether a recipient is called once more, and when
seen.py          which numbers a file has had already, and where
slices.py        long work on the event loop, in slices so short that no call hears of it
spool.py         rows on disk while they are checked, so that memory holds a window
template.py      an empty file for a version, its parameters as columns
transitions.py   what changes of a batch with each action, as plain functions
wish.py          what somebody wants of a batch, held to what there can be
wording.py       numbers of things in sentences
writings.py      numbers as spreadsheets write them: in disguise, with an exponent
zones.py         time zones: as people write them, and those that a number can be in
"""
