"""The two sides of a call: the phone's, behind a trunk or in a browser, and the agent's.

agent_leg.py       The agent's side of a call: a dialect, and the connection that carries it
browser_leg.py     The browser's side of a web call: one WebSocket in the place of a dialog and its RTP
browser_media.py   The audio of a browser: 16 kHz PCM both ways, in messages of a WebSocket
custom_headers.py  SIP headers of the requester's own on an outbound INVITE: which may be there, and what
                   may be in them
dialling.py        How an outbound call's INVITE is addressed: the trunk's host, the number as it wants it,
                   who calls
dialogs.py         Who has the events of each SIP dialog, and whose ladder its messages belong to
media_name.py      The host of the peer's audio where its SDP names it by name (RFC 8866 section 5.7)
media_watch.py     What is done for a call's media once a second: reports, quality, the alarm for one-way
                   audio, its end
outcome.py         What a final answer to our INVITE means: the one table from SIP results to endings
phone.py           What a call needs of the side that an agent talks to: a phone behind a trunk, or a
                   browser
phone_media.py     The phone's audio: an RTP port, what was negotiated for it, and the two ends of its
                   stream
sip_agent.py       The second leg of a call as a SIP dialog: for agents that are SIP endpoints themselves
sip_leg.py         The phone's side of a call: a dialog and its audio, which do not know each other
sip_words.py       What a SIP message says of its call: who calls whom, and what it is in a word
"""
