"""Questions of people about pictures of theirs."""
