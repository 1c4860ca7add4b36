"""The gateway: its parts, built, started, drained and stopped. Alone here the concrete classes meet.

batches.py    The batches of a gateway: what dials them, and what people do with them
events.py     Who is told of calls over HTTP, and the desk that tells them
figures.py    What `/metrics` reads from the parts of a gateway when it is asked
gateway.py    The gateway: builds its parts, starts, drains and stops. Alone here the concrete classes meet
http.py       The HTTP port of a gateway: the API's routes and the dashboard, given the parts that they ask
listening.py  What the configuration's listeners and timers are to the sockets and the user agent
numbers.py    Numbers as people buy, link, test and give them back, and the sweep that looks after rentals
process.py    The process that `gateway serve` is: its event loop, its signals, its end
"""
