"""The dashboard: server-rendered pages, beside the API on the gateway's HTTP port.

pages/            The pages of the dashboard, a noun a file: each is a row of the table in
                  `gateway.web.dashboard`
assets.py         The static files of the dashboard, in memory, each under an address that changes with
                  its content
assignments.py    Who answers a number, and who dials by it: as pages show it, and as their forms choose
                  it
batch_figures.py  How a batch goes: figures, bars and curves of its page. Numbers only; the templates
                  draw them
batch_wish.py     How a batch is to call, as the form of its page has it: numbers, times, hours, retries
changes.py        The history of a thing as its page tells it
csv_file.py       CSV files that people download: written while they are read, and named by what a
                  person has typed
dashboard.py      The table of pages: what there is to look at and to do
drawing.py        Drawings of a call: its ladder, its timeline, how it sounded. Coordinates only; the
                  templates draw them
failed_rows.py    Rows of a file that cannot be called, a page of them: of a file that was checked, or
                  of a batch
forms.py          What people send: forms and queries as bounded, decoded text
guard.py          What every answer carries, and what every request that changes something has to prove
kept_files.py     Files that were uploaded and are no batch yet: on this gateway's disk, a few a
                  workspace, for an hour
page.py           What a page is made from: one visit of somebody, and the table row that says who
                  answers it
parts.py          What the pages are made from: the parts of the gateway that the dashboard looks at and
                  acts on
prices.py         What calls to a network group cost by a rate deck: from the cheapest to the dearest of
                  its prefixes
render.py         Templates to HTML, and how values are written in them
site.py           The dashboard as an ASGI app: who is asking, may they, which page answers, and what
                  goes wrong in words
verdicts.py       Whether a number may be called from each of the workspace's numbers: the decision, as
                  pages draw it
waveform.py       How loud both sides of a recording were, looked at in places: an hour of sound is a
                  hundred megabytes
who.py            Who did something, by the names that people know: accounts, API keys, and whoever runs
                  the gateway
words.py          Words of the records and the reference platform as people read them, and the colours
                  they come in
"""
