"""The networks that scripts of images read: the small model of make_engine_fixtures.py, and a diffusers folder."""

import json

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from checkpoint_names import single_file
from fixture_paths import fixtures
from random_weights import fill, read_list
from tiny_model import make_networks, make_tokenizer


def small_model():
    """Tokenizer, text encoder, UNet, VAE and prediction of Models/model.weights."""
    tokenizer, vocabulary_size = make_tokenizer(fixtures("Models"))
    unet, vae, text = networks = make_networks(vocabulary_size)
    fill(networks, lambda: single_file(*networks), read_list(fixtures("Models") + "/model.weights"))
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
