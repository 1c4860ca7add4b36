"""A file of recipients becomes calls, and bad rows become an answer.

areas.py         time zones of area codes, where the number library's data is wrong
do_not_call.py   do-not-call lists as people bring them: texts to numbers, each once, and what is none by its
                 line
files/           bytes of an upload to rows of text, and the form that brings the file
guard.py         a batch stops itself while nothing but failures comes of its calls
hours.py         calling hours: whether they are, and when they are next, in all zones that count
hours_fields.py  calling hours from what people write
machine.py       the states of a batch and of a recipient, as tables, and why an action is refused
pace.py          how many calls may begin now, and with which number each is made
retrying.py      whether a recipient is called once more, and when
zones.py         time zones: as people write them, and those that a number can be in
"""
