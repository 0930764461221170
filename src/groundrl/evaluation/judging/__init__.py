"""Judges of answers: does the reasoning entail the answer, how good is it, do people agree?"""
