"""`scripts/run`: a gateway with embedded defaults, a sample agent beside it, one real call.

run.py           `scripts/run`
sample_agent.py  The sample agent runtime, a process of its own: it greets, says digits, and echoes the
                 caller
"""
