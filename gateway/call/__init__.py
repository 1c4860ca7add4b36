"""Call control: one call, either direction, from its first message to its one ending.

legs/            The two sides of a call: the phone's, behind a trunk or in a browser, and the agent's
money/           What calls cost: quotes before them, and what prepaid ones set aside as they go
recording/       What a call sounded like: who may record it, both channels on one clock, what is heard
                 before
admission.py     Who may call in: the user agent's gatekeeper, which asks the trunks
bridge.py        The audio between a phone and an agent: the only part of a call that runs once per packet
call.py          A call's whole life as one coroutine that returns one ending
conversation.py  The agent that a call talks to: the version's runtime first, its fallback when that fails
guesses.py       Slows down those who guess passwords: after some failures each try has to wait, longer each
                 time
idempotency.py   Placing a call once, however often it is asked for: HTTP and MQTT both deliver some
                 requests twice
left_over.py     Telling of the calls that a killed run left: their endings come after the restart, each
                 once
lookup.py        Finding a call's record, whether it is being lived, has just ended, or is long over
newcomers.py     How fast new calls may come, from all and from each: what a flood of INVITEs is held to
one_shot.py      Something that happens once in a call, or never
parts.py         What the gateway gives its calls: a decision, their places, audio, an agent and a recording
patch.py         Two calls put through to each other: each has the other in the place of its agent
places.py        Where calls take their places under every limit: of this process alone, or shared by
                 several
placing.py       Asking for an outbound call: decided, given its places, recorded and begun, in this order
record.py        What a call leaves behind: its times, its decision, its media figures and its one ending
refusal.py       The one place where a refusal becomes a SIP answer
switchboard.py   Every running call: begun, given its events, drained
transfer.py      Transfers: an agent leaves its call, and the phone is put through to a number
turned_away.py   What the log is told of those whom the gatekeeper did not let in
until.py         Run something until a call's ending is known
web_calls.py     Asking for a web call, and letting its browser in: once, with a token that is good for a
                 minute
"""
