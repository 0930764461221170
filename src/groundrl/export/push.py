"""A folder as a repository of the hub."""

from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id

from groundrl.errors import UserError


def check_push(repo: str) -> None:
    """Raise UserError where the name is none of a repository, or there is no login."""
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UserError(
            f"push={repo} is no name on the hub ({error}): type push=you/name"
        ) from None
    if "/" not in repo:
        raise UserError(f"push={repo} does not say whose it is: type push=you/{repo}")
    if get_token() is None:
        raise UserError("push= needs a login: type hf auth login, or export HF_TOKEN=<token>")


def push_folder(folder: Path, repo: str) -> str:
    """Upload the folder as a new, private repository, and return its address. Raises UserError
    where the hub refuses, also where the repository exists."""
    hub = HfApi()
    try:
        url = hub.create_repo(repo, private=True)
        hub.upload_folder(repo_id=repo, folder_path=folder)
    except HfHubHTTPError as error:
        raise UserError(
            f"the hub refuses push={repo} ({' '.join(str(error).split())[:300]}): the folder is in "
            f"{folder}; type push=<another name>, or upload it with hf upload"
        ) from error
    return str(url)
