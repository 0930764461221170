"""Where pictures are worked on: in threads of this process, or elsewhere."""
