"""One module per tested family, named after ``config.model_type`` of its checkpoints.

Each holds one ``FAMILY``. ``tests/policy/test_families.py`` compares every family with the class
of ``transformers`` itself.
"""
