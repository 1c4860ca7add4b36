"""What leaves the gateway: events to the log, to whoever follows, to the metrics.

bus.py             Events: one value each, told once, heard by every sink
call_sheet.py      Calls as CSV that a spreadsheet opens without running what strangers wrote into it
legible.py         What carriers, agents and tenants have written, fit for a terminal, a log viewer and a
                   spreadsheet
link.py            This gateway on the broker: its state, the events of its calls, and what comes for it
log.py             The structured log: one line an event; JSON for machines, readable on a terminal
loop_lag.py        How long the event loop is kept from its work: all audio waits for it, whatever keeps it
                   busy
metrics.py         Prometheus metrics: counted from events, and read from the running parts when asked
mqtt.py            What the gateway says on the broker: topics and messages, made of values; `docs/mqtt.md`
                   lists them
outbox.py          Messages on their way to the broker: from memory to disk at once, from disk in their
                   order
recall.py          What has happened in the calls that are running: for whoever begins to follow one in its
                   middle
refusals.py        What was refused, where its owner finds it: gathered for a moment, and bounded for each
                   workspace
subscribing.py     Who is to be told of a workspace's calls: what API and dashboard check, ask and do alike
webhook_bodies.py  What webhooks say: the reference platform's events, in its two shapes, made of a call's
                   record
webhooks.py        Webhooks: events of calls and batches to whoever wants them, tried again until taken or
                   given up
"""
