"""Says everything that is wrong with a composed config before anything is built."""
