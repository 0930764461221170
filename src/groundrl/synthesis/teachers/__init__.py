"""Teachers: generators of captions."""
