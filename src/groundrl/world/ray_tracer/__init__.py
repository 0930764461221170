"""Draws a scene: its shapes, what rays meet, light, surfaces, and what a camera adds."""
