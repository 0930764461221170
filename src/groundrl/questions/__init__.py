"""Questions that what is known of an image answers beyond doubt, their reasoning and its proof.

One engine for scenes, for images of which only boxes are known, and for captions with boxes: each
source builds a ``KnownImage``; a kind of question is a function ``(KnownImage, Draws) -> Draft``.
"""
