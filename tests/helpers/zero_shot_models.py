"""Tiny random instances of the real detector classes, with their real processors."""

from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
    SwinConfig,
)

WORDS = ["cat", "dog", "red", "traffic", "light", "person", "tree", "house"]
MAX_TEXT = 16
"""Tokens that the tiny Grounding DINO reads: three or four labels."""


def dino(kind: str, folder: Path) -> Path:
    """``kind``: "grounding_dino" or "mm_grounding_dino"."""
    # The classes know the ids of [CLS], [SEP], "." and "?" in BERT's vocabulary by heart.
    known = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    known |= {1012: ".", 1029: "?"} | dict(enumerate(WORDS, 1030))
    vocabulary = [known.get(i, f"[unused{i}]") for i in range(1030 + len(WORDS))]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    configs = {"grounding_dino": GroundingDinoConfig, "mm_grounding_dino": MMGroundingDinoConfig}
    models = {
        "grounding_dino": GroundingDinoForObjectDetection,
        "mm_grounding_dino": MMGroundingDinoForObjectDetection,
    }
    backbone = SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=4,
        # A keyword of all backbones that the annotations of this one lack.
        out_features=["stage2", "stage3", "stage4"],  # pyright: ignore[reportCallIssue]
    )
    text = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    config = configs[kind](
        backbone_config=backbone,
        text_config=text,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=12,
        max_text_len=MAX_TEXT,
    )
    torch.manual_seed(0)
    model = models[kind](config)
    for parameter in model.parameters():
        if parameter.ndim > 1:  # random weights of the usual size see nothing
            parameter.data.add_(torch.randn_like(parameter) * 0.15)
    model.save_pretrained(folder)
    GroundingDinoProcessor(
        GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 160}),
        BertTokenizer(str(folder / "vocab.txt")),
    ).save_pretrained(folder)
    return folder


def owl(folder: Path) -> Path:
    """An OWLv2 that sees 8 x 8 patches."""
    folder.mkdir()
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    tokens = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    merges = [("c", "a"), ("ca", "t</w>")]
    ids = {token: index for index, token in enumerate([*tokens, "ca", "cat</w>"])}
    torch.manual_seed(0)
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = Owlv2Config(
        text_config=tower
        | {
            "num_attention_heads": 2,
            "vocab_size": len(ids),
            "max_position_embeddings": 32,
            "eos_token_id": ids["<|endoftext|>"],
        },
        vision_config=tower | {"num_attention_heads": 2, "image_size": 64, "patch_size": 8},
        projection_dim=16,
    )
    model = Owlv2ForObjectDetection(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    tokenizer = CLIPTokenizer(
        vocab=ids,
        merges=merges,  # pyright: ignore[reportArgumentType]  # pairs; annotated as texts
        pad_token="<|endoftext|>",
        model_max_length=32,
    )
    images = Owlv2ImageProcessor(size={"height": 64, "width": 64})
    Owlv2Processor(images, tokenizer).save_pretrained(folder)
    return folder
