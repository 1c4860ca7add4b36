"""What people do with numbers and trunks: buy, link, test, release; shared by all who offer it."""
