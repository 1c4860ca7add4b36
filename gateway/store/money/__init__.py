"""Wallets, what running calls hold of them, what things cost, and what was bought.

decks.py          Rate decks in the database: one a provider, replaced whole by each import
loaded_prices.py  What decisions know of money, in memory: the rate decks, and which workspaces pay in
                  advance
purchases.py      What was bought from a number provider: from the intent, which is written down first, to
                  the release
purses.py         Where calls and wallets meet: what running calls set aside, what those that ended are
                  charged, once each
wallets.py        Wallets: what a workspace has paid in, and what its calls may still cost
"""
