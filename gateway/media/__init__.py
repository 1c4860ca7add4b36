"""Audio, RTP and SDP without I/O (RFC 3550, 3551, 4733, 8866, 3264).

audio.py                What audio looks like between the parts: formats, conversion between them, and WAV
                        files
carried_stream.py       Which stream of a session description we can carry, and where its media may go (RFC
                        3264 section 6)
codecs.py               The codecs that a call may use: one entry in a list each
comfort_noise.py        Comfort noise (RFC 3389): what a peer that sends nothing in pauses wants them to
                        sound like
concealment.py          Audio where there is none, or too much of it: losses made up from the pitch, time
                        put in and taken out
dtmf.py                 Digits pressed on a telephone: RFC 4733 events in RTP, and the bodies of SIP INFO
emodel.py               The E-model (ITU-T G.107): what people would say of a connection, estimated from
                        what it does to audio
extended_report.py      RTCP extended reports (RFC 3611), of which we read one block: what a peer's buffer
                        made of our audio
inflow.py               Audio that comes in order, whenever it likes, made into one frame a tick: what a
                        browser sends by TCP
meter.py                The figures of one call's audio, both ways: for its record, for its agent, and over
                        time
offer_answer.py         Offers and answers (RFC 3264): what two sides of a call agree on, as a plain
                        function of what both said
pace.py                 The clock of an agent: whether it speaks in real time, and what of it waits for
                        longer than it must
packet.py               RTP packets as values, and the arithmetic of their wrapping counters
patience.py             How long to wait for what is late: the adaptive part of the jitter buffer
plain.py                A run of plain packets: each exactly the one that was expected, and on time
playout.py              The queue between an agent that talks faster than real time and the clock that sends
                        RTP
quality.py              How good a call sounded: bursts of loss (RFC 3611), and its figures over time in a
                        few hundred numbers
receiver.py             The receiving end of an RTP stream: packets as they come in, audio in real time out
resample.py             Conversion between sample rates, for live audio: loads numpy, so import it only when
                        it is needed
rtcp.py                 RTCP (RFC 3550 section 6): compound packets as values, and the reports of one call
rtp.py                  RTP (RFC 3550) as call control sees it: packets, the sender, and the receiver
sdp.py                  SDP for those who use it: session descriptions (RFC 8866), and offers and answers
                        (RFC 3264)
session.py              Whose turn it is to describe the session: offers and answers in SIP, as a table (RFC
                        3264, RFC 6337)
session_description.py  SDP as values (RFC 8866): what one side of a call says about the media it can take,
                        and where
stereo.py               Stereo WAV as a recording is written: two mono channels woven together, behind a
                        head of fixed length
timeline.py             Received audio laid out in real time: as many samples given on as time went by
tones.py                What is heard while a number rings
"""
