"""Writes the results of OpenCV 4 for small images, with the steps of face_images.py: Faces/images.json.

  python make_face_images.py [cv2]

With cv2 the same is computed by OpenCV 4, and compared. Made with numpy 2.4, compared with OpenCV 4.10.0.
"""

import json
import sys

import numpy as np

import face_images as io
from fixture_paths import fixtures

M = (1 << 64) - 1


def picture(width, height, seed):
    """SplitMix64, the high byte of each number."""
    values, state = [], seed
    for _ in range(width * height * 3):
        state = (state + 0x9E3779B97F4A7C15) & M
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & M
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
        values.append((z ^ (z >> 31)) >> 56)
    return np.array(values, np.uint8).reshape(height, width, 3)


rng = np.random.default_rng(20)
result = {"resized": [], "warped": [], "similar": []}
for width, height, w, h in ((37, 23, 61, 90), (40, 60, 17, 12), (31, 8, 31, 33), (5, 3, 64, 5), (90, 70, 64, 64)):
    image = io.resize_lanczos(picture(width, height, width), w, h)
    result["resized"].append({"width": width, "height": height, "seed": width, "to": [w, h], "pixels": image.ravel().tolist()})
for matrix in ([[0.7, -0.31, 12.3], [0.31, 0.7, -4.9]], [[2.2, 0.9, -20.0], [-0.9, 2.2, 7.25]], [[1, 0, 0], [0, 1, 0]],
               [[0.01, -0.004, 20], [0.004, 0.01, 15]], [[-1.1, 0.02, 45.5], [-0.02, -1.1, 30.1]]):
    image = io.warp(picture(41, 33, 4), np.array(matrix, float), 47, 29, (132, 133, 135))
    plane = picture(41, 33, 5)[:, :, :1].astype(np.float64) / 7
    number = io.warp(plane, np.array(matrix, float), 47, 29, 0.0)
    result["warped"].append({"matrix": np.ravel(matrix).tolist(), "pixels": image.ravel().tolist(), "numbers": number.ravel().tolist()})
for index in range(40):
    turn, size = rng.uniform(-3, 3), rng.uniform(0.05, 3)
    c, s = size * np.cos(turn), size * np.sin(turn)
    points = io.TEMPLATE @ np.array([[c, s], [-s, c]]) + rng.uniform(-100, 2000, 2) + rng.normal(0, size * 10, (5, 2))
    if index % 3 == 0:
        points[rng.integers(5)] += rng.normal(0, 200 * size, 2)
    points = points.astype(np.float32)
    detail = {}
    result["similar"].append({"points": points.ravel().tolist(), "matrix": io.similarity(points, detail).ravel().tolist()})
plane = picture(130, 60, 6)[:, :, 0].astype(np.float64)
result["blurred"] = {"width": 130, "height": 60, "numbers": io.blur(plane).ravel()[::11].tolist()}
path = fixtures("Faces") + "/images.json"
with open(path, "w") as file:
    json.dump(result, file)
    file.write("\n")

if sys.argv[1:] == ["cv2"]:
    import cv2

    print(cv2.__version__)
    for case in result["resized"]:
        image = cv2.resize(picture(case["width"], case["height"], case["seed"]), tuple(case["to"]), interpolation=cv2.INTER_LANCZOS4)
        assert image.ravel().tolist() == case["pixels"], case["to"]
    for case in result["warped"]:
        m = np.array(case["matrix"], float).reshape(2, 3)
        image = cv2.warpAffine(picture(41, 33, 4), m, (47, 29), borderMode=cv2.BORDER_CONSTANT, borderValue=(132, 133, 135))
        assert image.ravel().tolist() == case["pixels"], case["matrix"]
        plane = picture(41, 33, 5)[:, :, 0].astype(np.float64) / 7
        number = cv2.warpAffine(plane, m, (47, 29), flags=cv2.INTER_AREA)
        assert number.ravel().tolist() == case["numbers"], case["matrix"]
    for case in result["similar"]:
        points = np.array(case["points"], np.float32).reshape(5, 2)
        m = cv2.estimateAffinePartial2D(points, io.TEMPLATE.astype(np.float32), method=cv2.LMEDS)[0]
        worst = np.abs(m.ravel() - case["matrix"]).max()
        assert worst < 1e-7 * max(1, np.abs(m).max()), worst
    plane = picture(130, 60, 6)[:, :, 0].astype(np.float64)
    print(np.abs(cv2.GaussianBlur(plane, (101, 101), 11).ravel()[::11] - result["blurred"]["numbers"]).max())
