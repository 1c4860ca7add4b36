"""What people do with numbers and trunks: buy, link, test, release; shared by all who offer it.

carrier_side.py   What to set on the carrier's side, ready to copy: it follows from the configuration
checklist.py      The steps before a number is used in production, as they stand at the moment
counter.py        Everything that is done with numbers, put together for whoever offers it
errors.py         What provisioning says no with, beside the store's own errors
linking.py        Linking one's own number: a SIP trunk and a number on it, made together or not at all
market.py         Looking at what can be bought: numbers on offer, prices, and what has to be in place
                  before buying
purchase.py       Buying a number: never twice, never lost, whatever dies in between
release.py        Giving a number back: refused while something uses it, then gone at once, here and at the
                  provider
rentals.py        Looking after what is rented: due purchases, rentals that end, and whether the provider
                  agrees with us
runtime_trial.py  Testing an agent version's runtime, step by step, each told in words with what to look at
trial.py          Testing the connection to a carrier, step by step, each told in words with what to do
                  about it
"""
