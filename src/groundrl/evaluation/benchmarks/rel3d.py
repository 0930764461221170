"""Rel3D (arXiv 2012.01634): minimally contrastive relations in depth."""

from dataclasses import dataclass

from groundrl.evaluation.benchmarks.published import PublishedBenchmark
from groundrl.evaluation.benchmarks.statements import Statements
from groundrl.published.rel3d import Rel3DReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Rel3D(Statements, Rel3DReader, PublishedBenchmark):
    """A statement about two objects, true or false; exactly half of each predicate is true."""
