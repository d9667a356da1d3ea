"""Writes the results of PyTorch's VAE encoders for small images.

  python make_encoder_fixtures.py

Reads the model of make_engine_fixtures.py and the demo model; writes encoder.safetensors: for each model, size and
padding the image in 8 bits and the mean of the latent's distribution, without the scaling factor.
"""


import torch
from safetensors.torch import save_file

from fixture_paths import DEMO, fixtures
from saved_networks import folder_model, small_model

out, folder = fixtures("Engine"), DEMO
tensors = {}


def tiles(vae):
    """Convolutions that pad take the opposite edge; those that halve the image are padded before, with zeros."""
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = "circular"


torch.manual_seed(8)
for name, networks in (("tiny", small_model()), ("folder", folder_model(folder))):
    vae = networks[3]
    for height, width in ((24, 40), (72, 56)):
        # Smooth with some noise, and ends of the range in it.
        smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 5), size=(height, width), mode="bicubic")
        picture = ((smooth * 1.3 - 0.15 + torch.randn(1, 3, height, width) * 0.05).clamp(0, 1) * 255).to(torch.uint8)
        tensors[f"{name}.{height}.picture"] = picture.float()
        with torch.no_grad():
            tensors[f"{name}.{height}.mean"] = vae.encode(picture.float() / 255 * 2 - 1).latent_dist.mean
    tiles(vae)
    with torch.no_grad():
        tensors[f"{name}.tiled.mean"] = vae.encode(picture.float() / 255 * 2 - 1).latent_dist.mean
    for key, tensor in tensors.items():
        if key.startswith(name) and key.endswith("mean"):
            print(key, tuple(tensor.shape), "mean %.3f, deviation %.3f" % (tensor.mean(), tensor.std()))
# Images in half precision, which can represent 8 bits.
save_file({k: (t.half() if "picture" in k else t).contiguous() for k, t in tensors.items()}, out + "/encoder.safetensors")
