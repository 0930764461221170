"""English words: plurals, articles, synonyms; one copy of each."""
