"""What people configure, by nouns: each change in one transaction with its line in the history.

accounts.py     Local accounts, and the sessions of those who are logged in to the dashboard
agents.py       Agents and their versions: a draft takes no calls, a published version takes calls and never
                changes
caps.py         How much a workspace may have, as far as it makes it itself; the operator is not held to it
do_not_call.py  Do-not-call lists: the numbers that a workspace's calls never go to, up to a million of them
editing.py      Reading and changing the configuration one value at a time; what the nouns beside it are
                written with
fields.py       Configuration values from text: what a person or a file gives for a field, and the value it
                stands for
history.py      Configuration changes: each in one transaction with the new revision and a line in the
                history
key_ring.py     The API keys that are in use, in memory: a request need not read its key from the database
keys.py         API keys: who may use the API for a workspace. The database has a hash of each secret, never
                the secret
nouns.py        Everything that people configure, by its nouns
number_list.py  The table of phone numbers: searched, filtered, a page at a time, with what each number is
                assigned to
numbers.py      Phone numbers, and which agent version answers and which one dials
passwords.py    Passwords of local accounts: kept as scrypt hashes, never as they are
rules.py        What a trunk, number, agent version or workspace has to be like. Each refusal says field,
                given and right
seed.py         Fills an empty database from a TOML file: workspaces, trunks, agents with versions, numbers,
                rates
trunks.py       Trunks: who may call in, and how calls go out
values.py       Rows to values and back: the only place that knows both the columns and the values of
                `routing.table`
webhooks.py     Webhooks: where a workspace wants to be told of its calls, and every attempt to tell it
workspaces.py   Workspaces: the tenants
zone_names.py   Names of time zones, of the tz database that comes with the gateway: in any case, or by
                the city alone
"""
