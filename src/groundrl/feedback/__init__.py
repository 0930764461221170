"""What people, or the truth of a scene, say about each sentence of a caption."""
