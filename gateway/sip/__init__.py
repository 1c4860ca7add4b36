"""RFC 3261 without I/O: bytes in, events out.

authenticator.py       Our challenges to those who call in, and what their credentials prove (RFC 7616, RFC
                       8760)
authorization.py       Our answers to the digest challenges that one request meets (RFC 3261 section 22, RFC
                       8760)
body.py                Which part of a body counts: the session description, alone or inside a multipart
                       body (RFC 5621)
core.py                What the parts of one user agent share: settings, tables, queues, and how requests
                       are written
dialog.py              A dialog: tags, CSeq, route set and remote target, and the verbs of a call (RFC 3261
                       sections 12 to 15)
digest.py              Digest authentication (RFC 8760, 7616, 2617): challenges, credentials, and how one
                       answers the other
errors.py              The two ways SIP can go wrong: our fault, or theirs
events.py              What a user agent tells the application, one frozen value each
framing.py             Messages out of a TCP or TLS stream (RFC 3261 section 18.3, RFC 5626 section 4.4.1)
grammar.py             The parts of the RFC 3261 grammar (section 25) that headers and URIs share
headers.py             Header field names, and the header field values that we read, as values with parse()
                       and str()
incoming_invite.py     An INVITE of the peer's, from its arrival to the ACK of our 2xx (RFC 3261 section
                       13.3)
inspection.py          What a request has to be before anybody thinks about it (RFC 3261 section 8.2)
layer.py               The transaction layer (RFC 3261 section 17): which message belongs where, what goes
                       out, what is due
message.py             SIP messages: bytes to values and back (RFC 3261 section 7)
outgoing_invite.py     An INVITE of ours: the call that it begins, or the change that it proposes (RFC 3261
                       13.2, 14.1)
outgoing_request.py    Requests of ours other than INVITE, and what becomes of them (RFC 3261 section 8.1)
path.py                The way that a request takes: out by a route set (RFC 3261 section 12.2.1.1), back by
                       Via (18.2)
reasons.py             What status codes say
schedule.py            The one timer of a user agent: a heap of deadlines, with lazy deletion
screening.py           Who may talk to us: the question that a user agent asks before it makes any state
settings.py            What a user agent may be told about itself
target.py              Where messages arrive and where they go, as values
transaction.py         Transactions (RFC 3261 section 17): a request and its responses, client and server,
                       INVITE and others
transaction_tables.py  The four figures of RFC 3261 section 17 as tables, with the corrections of RFC 6026
uri.py                 SIP, SIPS and tel URIs as values (RFC 3261 section 19.1, RFC 3966)
useragent.py           The user agent: SIP without I/O. Messages in, events out; verbs in, messages out
validation.py          What a message has to have before it is acted on (RFC 3261 sections 8.1.1, 17.1.3)
"""
