"""Training stages: each a LightningModule that reads the previous stage's weights."""
