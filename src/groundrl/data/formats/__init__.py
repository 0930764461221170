"""Row formats of the field: what a row of somebody's file asks, shows and answers."""
