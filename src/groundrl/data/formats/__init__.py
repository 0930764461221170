"""Row formats of the field: what a row of a file asks, shows and answers."""
