"""The dialects that agent runtimes speak, without I/O.

asterisk.py      Asterisk's `chan_websocket`: audio in binary messages, control in text, as plain words or
                 as JSON
audiosocket.py   Asterisk's AudioSocket: frames of one byte of kind and two of length, on a bare TCP
                 connection
dialects.py      The dialects by the name that an agent version gives; a new dialect is one file and one
                 entry here
exotel.py        Exotel AgentStream, as its Voicebot applet speaks it: 16 bit PCM in base64, little-endian
foreign.py       Agent audio that names its own format: turned into the call's, whatever the agent chose to
                 send
identity.py      Ids in the shapes that vendors have, made from ours: a call has the same ids wherever they
                 are told
native.py        Trunkline's own dialect: control as JSON text, audio as bare binary frames (docs/agents.md)
notices.py       What an agent is told of its call, as values: the mirror of `protocol.AgentEvent`
placeholders.py  `{call_id}`, `{from}`, `{to}` and the like in runtime URLs and headers, filled in for each
                 call
plivo.py         Plivo Audio Streaming, as its bidirectional `<Stream>` speaks it
protocol.py      What every dialect offers, and what agents can say in any of them
sip.py           An agent that is a SIP endpoint itself: its call is a second dialog, and its audio RTP
telnyx.py        Telnyx media streaming over WebSocket, with `stream_bidirectional_mode` `rtp`
twilio.py        Twilio Media Streams, as its bidirectional `<Connect><Stream>` speaks it (protocol `Call`,
                 version 1.0.0)
twilio_like.py   What Telnyx's and Exotel's streams have in common with Twilio's: three messages, and marks
                 that come back
twiml.py         As much of TwiML as a bot sends to end or to transfer its call; what is not done is refused
                 by name
"""
