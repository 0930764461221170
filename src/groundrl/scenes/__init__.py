"""The embedded world: scene graph, pictures, questions and captions, all functions of a spec."""
