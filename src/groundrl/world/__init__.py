"""The embedded world: scene graph, images, questions and captions, all functions of a spec."""
