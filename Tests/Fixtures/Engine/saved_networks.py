"""The networks that scripts of images read: the small model that make_engine_fixtures.py wrote, and a diffusers folder."""

import json

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

from checkpoint_names import single_file
from tiny_model import make_networks, make_tokenizer


def small_model(out):
    """Tokenizer, text encoder, UNet, VAE and prediction; made anew, and compared with the file."""
    tokenizer, vocabulary_size = make_tokenizer(out)
    unet, vae, text = make_networks(vocabulary_size)
    saved = load_file(out + "/model.safetensors")
    for name, tensor in single_file(unet, vae, text).items():
        assert torch.equal(tensor.half(), saved[name]), name
    return tokenizer, text, unet, vae, "epsilon"


def folder_model(folder):
    """The same of a folder in the diffusers layout."""
    with open(folder + "/scheduler/scheduler_config.json") as file:
        prediction = json.load(file)["prediction_type"]
    return (
        CLIPTokenizer(folder + "/tokenizer/vocab.json", folder + "/tokenizer/merges.txt"),
        CLIPTextModel.from_pretrained(folder + "/text_encoder", dtype=torch.float32).eval(),
        UNet2DConditionModel.from_pretrained(folder + "/unet", torch_dtype=torch.float32).eval(),
        AutoencoderKL.from_pretrained(folder + "/vae", torch_dtype=torch.float32).eval(),
        prediction,
    )
