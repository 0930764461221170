"""What all stages have in common."""

import lightning as L

from groundrl.policy.policy import Policy


class Stage(L.LightningModule):
    """A LightningModule for a policy; its checkpoints leave the frozen base out."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.strict_loading = False  # the frozen base is not in the checkpoint

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep what learns; frozen base weights are never written."""
        checkpoint["state_dict"] = {
            name: p.detach() for name, p in self.named_parameters() if p.requires_grad
        }
