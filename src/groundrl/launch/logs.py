"""What a run writes to the screen: messages of this package, and none of other libraries.

Nothing else is imported, and this is called first, because some libraries log while they are
imported.
"""

import logging
import os
import sys
import threading
import warnings

from groundrl.errors import describe_machine_problem

WARNINGS = (
    # The frozen base stays in evaluation mode on purpose.
    r"Found \d+ module\(s\) in eval mode at the start of training",
    # Stage and datamodule agree that records stay where they are.
    r"You have overridden `transfer_batch_to_device` in both",
    # Lightning's own use of torch, and transformers' own use of itself.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"`is_gradient_checkpointing` is deprecated",
    # Of tqdm in notebooks, where ipywidgets are not there: nothing here draws its bars.
    r"IProgress not found",
)
"""Starts of messages. Anything that is not named here is shown."""

LOGGER_LEVELS = {
    # "GPU available", "Trainer.fit stopped", "Initializing distributed", advertisements.
    "lightning.pytorch.utilities.rank_zero": logging.WARNING,
    "lightning.fabric.utilities.rank_zero": logging.WARNING,
    "lightning.fabric.utilities.distributed": logging.WARNING,
    # Ray makes its own token for a cluster of this machine.
    "ray._private.authentication.authentication_token_setup": logging.ERROR,
    # A faster 4-bit kernel that no CPU has by default; qlora works without it.
    "bitsandbytes.backends.cpu.ops": logging.ERROR,
}
"""Logger -> the lowest level that is shown."""


def silence_libraries() -> None:
    """Hide the messages that ``WARNINGS`` and ``LOGGER_LEVELS`` name."""
    # Every load of the embedded model would draw a bar; HF_HUB_DISABLE_PROGRESS_BARS=0 shows them.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name, level in LOGGER_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    threading.excepthook = _tell_thread_error


def _tell_thread_error(args: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread, prints its traceback where the disk is full, and raises the
    error again where the next value is added: there it becomes one message."""
    if not isinstance(args.exc_value, OSError) or not describe_machine_problem(args.exc_value, ""):
        threading.__excepthook__(args)


class ScreenHandler(logging.Handler):
    """Writes results (INFO) to standard output, warnings and errors to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """One message, without decoration."""
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        stream.write(f"{self.format(record)}\n")
        stream.flush()


def configure_logging() -> None:
    """Show messages of ``groundrl`` from INFO on; may be called for every job of a multirun."""
    logger = logging.getLogger("groundrl")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, ScreenHandler) for handler in logger.handlers):
        logger.addHandler(ScreenHandler())
