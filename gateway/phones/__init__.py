"""Telephones made of the gateway's own parts, with something to say and an ear for what comes back.

answering.py    A telephone that is picked up by itself: the callee of the demo, made of the gateway's own
                parts
echo.py         How much of what a caller said came back, and when
house_phone.py  The gateway's own telephone, for owners without one: a real SIP call into the gateway, from
                127.0.0.1
speech.py       Something like speech, made from nothing: a voice with pitch, formants, syllables and pauses
telephone.py    A telephone made of the gateway's own parts: it calls, plays audio, and keeps what it hears
"""
