import Foundation

/// The small random networks of face restoration in `Tests/Fixtures/Faces` (`Tests/FixtureScripts/make_faces.py`).
package enum RandomFaces {
  /// The networks by the names of their lists.
  package static let names = ["retinaface", "parsenet", "codeformer", "gfpgan"]

  /// The usual names of their files.
  package static let fileNames = [
    "retinaface": "detection_Resnet50_Final", "parsenet": "parsing_parsenet", "codeformer": "codeformer-v0.1.0",
    "gfpgan": "GFPGANv1.4",
  ]

  /// A folder with all of them as safetensors files; the detector has random heads.
  ///
  /// It is made once per process, and removed when the process exits.
  package static let folder: String = {
    do {
      let folder =
        FileManager.default.temporaryDirectory.standardizedFileURL.path + "/sdbatch-faces-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for name in names { try tensors(name).write(to: "\(folder)/\(name).safetensors") }
      atexit { try? FileManager.default.removeItem(atPath: RandomFaces.folder) }
      return folder
    } catch {
      fatalError("The random networks cannot be written: \(error)")
    }
  }()

  /// The path of a network's file.
  package static func path(_ name: String) -> String { "\(folder)/\(name).safetensors" }

  /// The tensors of a network.
  package static func tensors(_ name: String) throws -> [SyntheticTensor] {
    try RandomWeights(Fixtures.text("Faces/\(name).weights")).synthetic
  }

  /// The tensors of a detector that finds the two faces of `Faces/cartoon.png`, with the heads in `Faces/heads.safetensors`.
  package static func detector(heads: [SyntheticTensor]) throws -> [SyntheticTensor] {
    let names = Set(heads.map(\.name))
    return try tensors("retinaface").filter { !names.contains($0.name) } + heads
  }

  /// Heads of a detector that finds one face in every image, in its upper left corner and partly outside: all positions of the
  /// coarsest level have the same score, and all boxes overlap.
  package static let eagerHeads = heads(findingFaces: true)

  /// Heads of a detector that finds no face in any image.
  package static let blindHeads = heads(findingFaces: false)

  private static func heads(findingFaces: Bool) -> [SyntheticTensor] {
    (0..<3).flatMap { level in
      var classes: [Float] = [3, -3, 3, -3]
      var boxes = [Float](repeating: 0, count: 8)
      var landmarks = [Float](repeating: 0, count: 20)
      if level == 2, findingFaces {
        classes = [0, 5, 3, -3]
        boxes[2] = Float(log(6 * 640 / 256.0) / 0.2)
        boxes[3] = boxes[2]
        let points: [Float] = [
          192.98138, 239.94708, 318.90277, 240.1936, 256.63416, 314.01935, 201.26117, 371.41043, 313.08905, 371.15118,
        ]
        for (index, point) in points.enumerated() {
          landmarks[index] = (point - (index % 2 == 0 ? 156 : 200)) * 0.6 / (0.1 * 256)
        }
      }
      return [("ClassHead", classes), ("BboxHead", boxes), ("LandmarkHead", landmarks)].flatMap { name, bias in
        [
          SyntheticTensor(
            "\(name).\(level).conv1x1.weight", [bias.count, 72, 1, 1],
            floats: Array(repeating: 0, count: bias.count * 72)),
          SyntheticTensor("\(name).\(level).conv1x1.bias", [bias.count], floats: bias),
        ]
      }
    }
  }

  /// A webui's folder of models with all four files under their usual names.
  ///
  /// - Parameters:
  ///   - folder: The folder for `Codeformer/` and `GFPGAN/`.
  ///   - heads: The heads of the detector.
  ///   - names: The networks to write.
  /// - Throws: If a file cannot be written.
  package static func writeModels(
    to folder: String, heads: [SyntheticTensor], names: [String] = RandomFaces.names
  ) throws {
    for name in names {
      guard let file = fileNames[name] else { continue }
      let parent = "\(folder)/\(name == "codeformer" ? "Codeformer" : "GFPGAN")"
      try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      let tensors = name == "retinaface" ? try detector(heads: heads) : try tensors(name)
      try tensors.write(to: "\(parent)/\(file).safetensors")
    }
  }
}
