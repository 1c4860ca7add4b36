"""What a call sounded like: who may record it, both channels on one clock, what is heard before.

announcement.py    Something of our own that the phone hears before anything else: that the call is recorded
call_recording.py  One call's recording: who may begin and pause it, and what the call's record says of it
sounds.py          Sounds that tenants name: WAV files of the operator's folders, and of no others
stereo_tape.py     What both sides of a call sounded like, sample beside sample, on its way to the recording
"""
