"""Language models behind one chat interface, used by judges, captioners and verifiers."""
