"""Routing decisions as values: which trunk, which agent version, and why.

assignment.py   What both directions ask of a number: that it is ready, and that a published version stands
                behind it
calling.py      Which number an outbound call goes out from, and which version of which agent speaks
decision.py     Decisions as values: what was looked at, what was found, and why the answer is what it is
destination.py  Where an outbound call may go: the rules, in their order, for single calls, batches and
                transfers alike
do_not_call.py  Numbers that a workspace's calls never go to: what a list says of one, and the rule that
                heeds it
groups.py       The network groups that a workspace can enable: all that are known, and how the workspace
                has them
host_port.py    Where calls go out to, as people write it: `host[:port]`
importer.py     Countries, special ranges, network groups and rates from CSV; every error names its line and
                column
inbound.py      Who may call in, and which agent version answers: source, then credentials, then number
limits.py       How many calls at once, and how many new ones a second: counters that every call takes and
                gives back
mending.py      What mends a refusal: beside every reason the page, the request and the command that change
                it
near_misses.py  Which numbers and trunks a call could have meant: what is there, and what only almost fits
network.py      Which values stand behind an address: CIDR look-up whose cost does not grow with the number
                of networks
number.py       E.164 numbers: how a trunk writes them, which country they belong to (ITU-T E.164, RFC 3966)
outbound.py     Which calls may go out: the destination's rules, then number, version, trunk and price
plan.py         The numbering plan as data: which country a number is in, and which ranges cost more than
                they seem to
prefixes.py     The longest prefix of a number that something is known about: rates, ranges, countries,
                network groups
quoting.py      What a call would cost and why, whether or not it would be placed
rating.py       What a call costs: the longest prefix of the called number in a rate deck, or a trunk's flat
                rate
recording.py    Whether a call is recorded: as its number says, else its agent version, else its trunk; else
                it is not
table.py        The frozen snapshot that decisions are made from: trunks, numbers, agent versions,
                workspaces
trunks.py       SIP trunks: who may call in by which, how calls go out by it, and which of all an address
                belongs to
trunk_prefix.py  What is dialled before a national number inside its country: a trunk zero, mostly
typed.py        Telephone numbers as people type and paste them: out of a web page, a chat, a spreadsheet,
                another script
values.py       What trunks, numbers, versions and workspaces are configured with: choices, secrets,
                increments
web.py          Which version of which agent talks to a browser: a web call has no number, no trunk and no
                price
written.py      Numbers in lists that people keep: international, or as they are dialled in the workspace's
                country
"""
