"""What calls cost: quotes before them, and what prepaid ones set aside as they go.

price_quotes.py  Price questions: what a call would cost, asked of what the gateway knows at the moment
reservation.py   What running calls cost as they go: each sets the next step of its price aside before it
                 comes to it
"""
