"""Puts a job of Slurm back into its queue."""

import os
import subprocess


def requeue_job() -> str:
    """Put the job of this process back into the queue; returns what to tell the user."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return "not put back into a queue: this is no job of Slurm"
    if (array := os.environ.get("SLURM_ARRAY_JOB_ID")) is not None:
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return f"job {job} is not put back into the queue: there is no scontrol here"
    if done.returncode:
        return f"job {job} is not put back into the queue: {done.stderr.strip()}"
    return f"job {job} is put back into the queue and will go on"
