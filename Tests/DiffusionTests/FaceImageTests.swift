import Foundation
import Imaging
import Settings
import Testing
import TestSupport

@testable import Diffusion

/// Images of the engine whose faces are restored.
struct FaceImageTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try RandomFaces.writeModels(to: folder("eager"), heads: RandomFaces.eagerHeads)
    try RandomFaces.writeModels(to: folder("blind"), heads: RandomFaces.blindHeads)
  }

  private func settings(_ models: String = "eager", _ change: (inout ImageSettings) -> Void = { _ in }) -> ImageSettings
  {
    var settings = ImageSettings()
    settings.model = ModelReference(name: "model.safetensors", path: RandomModels.path("model.safetensors"))
    settings.prompt = "a small boat"
    (settings.seed, settings.steps, settings.width, settings.height) = (41, 2, 64, 64)
    settings.restoreFaces = true
    settings.faceFolders = [folder(models)]
    change(&settings)
    return settings
  }

  private func make(_ settings: ImageSettings, threads: Int = 2) throws -> FinishedPicture {
    try Engine.forTests(threads: threads).make(settings, resuming: nil) { _, _ in }
  }

  @Test func `faces are restored after decoding, and the image before is handed over`() throws {
    let plain = try make(settings { $0.restoreFaces = false })
    #expect(plain.faces == nil && plain.before == nil)
    let restored = try make(settings())
    #expect(restored.faces == 1 && restored.before == plain.image && restored.image != plain.image)
    let other = try make(settings { $0.codeFormerWeight = 0 })
    #expect(other.image != restored.image && other.before == plain.image)
    let blind = try make(settings("blind"))
    #expect(blind.faces == 0 && blind.image == plain.image)
  }

  @Test func `GFPGAN's noise is that of the seed, from the recipe's source`() throws {
    func image(_ change: @escaping (inout ImageSettings) -> Void = { _ in }) throws -> RGBImage {
      let engine = try Engine.forTests()
      let settings = self.settings {
        $0.faceRestorationModel = .gfpgan
        change(&$0)
      }
      // The same decoded image each time.
      let flat = RGBImage(width: 64, height: 64, pixels: Array(repeating: 90, count: 64 * 64 * 3))
      return try engine.restoringFaces(flat, settings) { _ in }.image
    }
    let first = try image()
    #expect(try image() == first)
    #expect(try image { $0.seed = 42 } != first)
    #expect(try image { $0.rng = .cpu } != first)
    #expect(try image { $0.codeFormerWeight = 0.9 } == first)
  }

  @Test func `an image that is resumed between decoding and restoration is the same`() throws {
    struct Stop: Error {}
    let settings = self.settings()
    let whole = try make(settings)
    var saved: [UInt8]?
    let engine = try Engine.forTests()
    #expect(throws: Stop.self) {
      try engine.make(settings, resuming: nil) { progress, state in
        guard case .restoring(_, of: 1) = progress else { return }
        saved = try state?.encoded()
        throw Stop()
      }
    }
    var stages: [GenerationProgress] = []
    let bytes: [UInt8] = try #require(saved)
    let image = try Engine.forTests(threads: 3).make(settings, resuming: bytes) { progress, _ in
      stages.append(progress)
    }
    #expect(image.image == whole.image && image.faces == 1)
    #expect(!stages.contains(.encoding) && stages.contains(.restoring(face: 0, of: 1)))
  }

  @Test func `the files are ingredients only if faces are restored`() throws {
    let engine = try Engine.forTests()
    let without = try engine.ingredients(for: settings { $0.restoreFaces = false })
    #expect(without.faces == nil)
    let with = try engine.ingredients(for: settings())
    #expect(with.faces?.map(\.family) == ["codeformer", "face-detector", "face-parser"])
    let gfpgan = try engine.ingredients(for: settings { $0.faceRestorationModel = .gfpgan })
    #expect(gfpgan.faces?.map(\.name) == ["GFPGANv1.4", "detection_Resnet50_Final", "parsing_parsenet"])
    func id(_ settings: ImageSettings) throws -> JobID { JobID(settings, try engine.ingredients(for: settings)) }
    let ids = [
      try id(settings { $0.restoreFaces = false }), try id(settings()),
      try id(settings { $0.faceRestorationModel = .gfpgan }), try id(settings { $0.codeFormerWeight = 0.7 }),
      try id(settings("blind")),
    ]
    #expect(Set(ids).count == 5)
    #expect(
      try id(
        settings {
          $0.faceRestorationModel = .gfpgan
          $0.codeFormerWeight = 0.7
        }) == ids[2])
    var plain = settings { $0.restoreFaces = false }
    plain.faceFolders = []
    #expect(try id(plain) == ids[0])
    #expect(String(decoding: JobID.canonicalJSON(plain, without), as: UTF8.self).contains("face") == false)
  }

  @Test func `all missing files are named at once`() throws {
    let engine = try Engine.forTests()
    let error = #expect(throws: FaceFilesMissing.self) {
      try engine.ingredients(for: settings("nowhere"))
    }
    let text = "\(try #require(error))"
    for name in ["codeformer-v0.1.0.pth", "detection_Resnet50_Final.pth", "parsing_parsenet.pth", folder("nowhere")] {
      #expect(text.contains(name), "\(text)")
    }
    try RandomFaces.writeModels(to: folder("part"), heads: [], names: ["codeformer", "parsenet"])
    let part = #expect(throws: FaceFilesMissing.self) {
      try FaceFolders(roots: [folder("part")]).files(for: .codeFormer)
    }
    #expect(try #require(part).kinds == [.detector])
  }

  @Test func `files are found in all folders, by their tensors`() throws {
    let faces = try FaceFolders(roots: [folder("empty"), folder("eager")]).files(for: .gfpgan)
    #expect(faces.restorer.path.hasSuffix("eager/GFPGAN/GFPGANv1.4.safetensors"))
    // With other names, in face/, next to files that cannot be used.
    for (number, name) in RandomFaces.names.enumerated() {
      try RandomFaces.tensors(name).write(to: try folder.write("odd/face/a-\(number).safetensors", []))
    }
    try folder.write("odd/face/0.pth", "no model")
    let odd = try FaceFolders(roots: [folder("odd")]).files(for: .codeFormer)
    #expect(odd.restorer.kind == .codeFormer && odd.detector.kind == .detector && odd.parser.kind == .parser)
    // A file with the usual name that cannot be used is an error; it is not ignored silently.
    try folder.write("cut/Codeformer/codeformer-v0.1.0.pth", "cut")
    #expect(throws: (any Error).self) { try FaceFolders(roots: [folder("cut")]).files(for: .codeFormer) }
  }

  @Test func `files are found through links to folders and files`() throws {
    let manager = FileManager.default
    for root in ["linked", "single/GFPGAN", "single/Codeformer"] {
      try manager.createDirectory(atPath: folder(root), withIntermediateDirectories: true)
    }
    for name in ["GFPGAN", "Codeformer"] {
      try manager.createSymbolicLink(
        atPath: folder("linked/\(name)"), withDestinationPath: folder("eager/\(name)"))
      for file in try manager.contentsOfDirectory(atPath: folder("eager/\(name)")) {
        try manager.createSymbolicLink(
          atPath: folder("single/\(name)/\(file)"), withDestinationPath: folder("eager/\(name)/\(file)"))
      }
    }
    for root in ["linked", "single"] {
      for model in FaceRestorationModel.allCases {
        #expect(try FaceFolders(roots: [folder(root)]).files(for: model).all.count == 3)
      }
    }
  }

  @Test func `a memory limit counts the networks, and restores to the same bytes`() throws {
    let engine = try Engine.forTests()
    let free = try engine.memoryPlan(for: settings())
    let plain = try engine.memoryPlan(for: settings { $0.restoreFaces = false })
    #expect(free.peak > plain.peak)
    #expect(throws: EngineError.self) { try engine.memoryPlan(for: settings { $0.memoryLimit = plain.peak }) }
    let limited = try make(settings { $0.memoryLimit = free.peak + 1 << 20 })
    #expect(try make(settings()).image == limited.image)
  }
}
