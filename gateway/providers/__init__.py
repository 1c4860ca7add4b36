"""Where numbers come from: what a number provider offers, and the providers there are.

plivo.py       Plivo as a number provider: its Numbers, Compliance and Zentrunk (SIP trunking) APIs, version
               1
plivo_http.py  Requests to Plivo's REST API: signed in, bounded in time and size, repeated where that is
               safe
protocol.py    What provisioning asks of a number provider, as values, and the four ways in which it can
               fail
simulated.py   A provider for the demo and the tests: numbers that are kept free for examples, no money, no
               network
"""
