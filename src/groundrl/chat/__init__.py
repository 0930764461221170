"""Language models that answer chat requests: judges, captioners and verifiers ask them."""
