"""The command line, a noun a file: what it asks of the store, and how it shows the answers.

accounts.py          `gateway accounts`: who may log in to the dashboard
agent_check.py       `gateway agent-check`: calls an agent's runtime as the gateway would, and tells its
                     author what is wrong
agent_script.py      What `gateway agent-check` does in its call, and what it makes of what it hears
agent_trial.py       One call to an agent's runtime without a telephone: a line that plays and speaks in
                     real time
agents.py            `gateway agents`: the agents, and the versions that speak for them
asking.py            Asking the running gateway over its HTTP port, as its operator
assignments.py       `FIELD=VALUE` on the command line
batch.py             `gateway batch`: a file of recipients becomes calls; checked, started, watched and
                     ended
batch_asking.py      Asking the running gateway about batches; what it refuses is told in its own words,
                     with groups of rows
batch_making.py      Checking a file of recipients, and making a batch of it, through the running
                     gateway
batch_page.py        Batches as a person reads them on a terminal
batch_watch.py       A batch that is followed: a bar on a terminal, a line of JSON for each change
                     elsewhere
call.py              `gateway call`: place a call through the running gateway, and follow it to its end
call_choice.py       Which calls a person means: words and numbers as they are written on a command line
call_page.py         Calls as a person reads them on a terminal: a list that fits its width, and one call in
                     sections
calling.py           Placing a call through the running gateway, and following it to its end
calls.py             `gateway calls`: their records, and hanging one up
check.py             `gateway check`: everything that can be known to be wrong before the first call comes
check_drafts.py      Whether the versions that numbers are assigned are published: a draft takes no call
check_folders.py     Whether the gateway can write where it has to: its data, recordings, journal and queues
check_mqtt.py        Whether the MQTT broker is there, and lets this gateway in
check_recordings.py  Whether calls that are to be recorded will be, and for how long: announcements, room,
                     retention
check_secrets.py     Secrets that are missing: of runtimes, and of the broker
check_sockets.py     Whether the gateway can have its addresses and ports, and whether peers can reach what
                     it advertises
check_store.py       The database, and whether what is configured in it can take calls
check_times.py       Times of the configuration that contradict each other: each may be right by itself
check_tls.py         Certificates: readable, fitting their key, in force, and for the name that is
                     advertised
check_trunks.py      Trunks of one source: which of them a call comes by, the number that is called decides
checks.py            Everything that `gateway check` looks at, in the order in which a gateway would stumble
                     over it
completion.py        `gateway completion`: what a shell runs to complete the command's nouns, verbs and
                     options
countries.py         `gateway workspaces countries`: which countries and network groups a workspace may call
do_not_call.py       `gateway do-not-call`: the numbers that a workspace never calls
explain.py           `gateway explain`: the routing decision about a call, without the call
explaining.py        The decisions that `gateway explain` asks for
finding.py           What `gateway check` finds: one line each, with how to mend it
following.py         How a call that is followed looks on a terminal: one short line an event, with the
                     seconds so far
history.py           `gateway history`: who changed what, and when
keys.py              `gateway keys`: who may use the API
noun.py              What the command line is built of: nouns with their verbs, read from their files when
                     they are asked for
number_market.py     `gateway numbers search|buy|remove|check`: numbers of a provider, from the search to
                     giving them back
numbers.py           `gateway numbers`: the phone numbers, and which agent version answers and dials by each
output.py            What commands show: tables on a terminal, JSON elsewhere; and mistakes, told in one way
price_quotes.py      What calls would cost, for commands that say so
questions.py         Questions that a command asks on a terminal: the first interrupt ends them
rates.py             `gateway rates`: what calls cost by each provider's route
running.py           One call of the running gateway: where it stands, following it, hanging it up
session.py           What every command that touches the store begins with: its configuration, the store,
                     who is asking
sheets.py            CSV files that a command imports: from a file, standard input, or as they ship with the
                     gateway
tail.py              `gateway tail`: what happens in the running gateway, as it happens
trials.py            What tests a trunk from the command line, which brings the media path along
trunk_links.py       `gateway trunks link|test|setup`: linking one's own number, testing a carrier, and what
                     to tell it
trunks.py            `gateway trunks`: who may call in, and how calls go out
wallet.py            `gateway wallet`: what a workspace has paid in advance, and what its calls took out
workspaces.py        `gateway workspaces`: the tenants
"""
