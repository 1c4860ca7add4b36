"""Every socket: SIP, RTP, the agent's WebSocket, DNS.

agent.py         Dialling an agent's runtime: the upgrade to WebSocket (RFC 6455 section 4.1), and why it
                 failed
agent_advice.py  What to look at when a runtime cannot be reached, or leaves a call otherwise than by
                 hanging up: one table
arrivals.py      The sockets of all calls behind one descriptor, and what happens to their packets while we
                 are late
browser.py       Browsers that connect to us by WebSocket (RFC 6455), on the port of the HTTP server
bytestream.py    One open TCP or TLS connection to an agent's runtime, as AudioSocket wants it: bytes,
                 without messages
clock.py         The one clock that paces all media
connection.py    What call control sees of an open connection to an agent's runtime, whatever carries it
dns.py           Where SIP messages to a name go: NAPTR, SRV and addresses, in the order in which to try
                 them (RFC 3263)
latch.py         Which source of RTP is taken for the peer: symmetric RTP (RFC 4961) and latching (RFC
                 7362), decided
mqtt.py          The connection to an MQTT 5 broker: kept up, one last will, requests acknowledged only when
                 they are done
mqtt_client.py   aiomqtt's client, mended where we need more: acknowledging in our hands, refusals seen,
                 sockets watched
open_files.py    How many files the system lets us have open, and how many we may come to need
overload.py      Whether this process has more to do than it has time for, told by how late its beats are
reach.py         Where others may make us connect to: one rule for runtimes, carriers, webhooks and media
rtp.py           RTP and RTCP sockets: the pair that one call has, locked to one peer
rtp_ports.py     Pairs of ports for RTP and RTCP, one a call, from a bounded range (RFC 3550 section 11)
sip.py           SIP on this machine: `SipSockets` around one `UserAgent`
sip_sockets.py   SIP's sockets: UDP, TCP and TLS listeners, whole messages in and out, and names looked up
                 on the way out
streams.py       SIP over TCP and TLS: accepted and opened connections, framed, bounded and swept
throttle.py      What connections may cost us between two beats of the media clock, so that one that floods
                 hurts no other
tls.py           TLS contexts from the files that the configuration names, with errors that say which file
                 and why
webhook.py       Posting to addresses that strangers gave us: to those that may be reached, and only to what
                 was looked at
websocket.py     One open WebSocket (RFC 6455) to an agent's runtime, of which we are the client
"""
