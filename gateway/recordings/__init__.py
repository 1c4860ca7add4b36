"""Recordings of calls: written by one thread, kept in a store behind a small seam.

folder.py     Recordings in a folder of this machine, plain or sealed
keeping.py    Recordings after their calls: recovered at start, deleted when somebody asks or their time is
              over
plain.py      A recording as it is: the WAV file itself
protocol.py   What the gateway needs of a place that keeps recordings. All of it blocks: call it in a thread
recovery.py   What a killed run left behind is made readable, and findable, by the next start
retention.py  Records of calls whose time is over: forgotten, with their recordings and what was posted
              about them
sealed.py     A recording sealed at rest: AES-256-GCM in blocks, so that a player can ask for any part of it
writer.py     One thread that writes the recordings of all calls, so that no call ever waits for a disk
"""
