import Diffusion
import Foundation
import Settings
import TensorFiles
import Testing
import TestSupport

/// The files next to a checkpoint that the webui finds by its name.
@Suite struct CompanionFileTests {
  private let folder: TemporaryFolder
  private let engine: Engine
  private var settings = ResumedImageTests.settings(.euler)

  init() throws {
    folder = try TemporaryFolder()
    engine = try Engine.forTests()
    settings.model = ModelReference(name: "own", path: try folder.copy("bk.safetensors", as: "own.safetensors"))
  }

  /// The VAE of another random model, in a separate file.
  private func writeVAE(_ name: String, of model: String = "model.safetensors") throws -> String {
    let prefix = "first_stage_model."
    return try folder.copy(
      model, as: name, where: { $0.hasPrefix(prefix) }, renamed: { String($0.dropFirst(prefix.count)) })
  }

  private func image(vae: ModelReference? = nil) throws -> [UInt8] {
    var settings = settings
    settings.vae = vae
    // An engine keeps what it found.
    return try Engine.forTests().generate(settings) { _ in }.pixels
  }

  private func id(vae: ModelReference? = nil) throws -> JobID {
    var settings = settings
    settings.vae = vae
    return JobID(settings, try Engine.forTests().ingredients(for: settings))
  }

  @Test func `a VAE beside a checkpoint replaces its own, unless the settings name one`() throws {
    let (own, ownID) = (try image(), try id())
    #expect(try id(vae: .ownVAE) == ownID)
    let path = try writeVAE("own.vae.safetensors")
    let companion = try image()
    #expect(companion != own)
    #expect(try image(vae: .ownVAE) == own && id(vae: .ownVAE) == ownID)
    let named = ModelReference(name: "vae", path: path)
    #expect(try image(vae: named) == companion && id(vae: named) == id() && id() != ownID)
    let ingredients = try engine.ingredients(for: settings)
    #expect(ingredients.vae?.path == path && ingredients.vae?.fileName == "own.vae.safetensors")
    let notes = engine.takeNotes()
    #expect(notes.count == 1 && notes[0].contains("own.vae.safetensors next to it") && notes[0].contains("vae: none"))
  }

  @Test func `of several VAEs the one that the webui lists first counts, and others' are ignored`() throws {
    _ = try writeVAE("own-2.vae.pt")
    _ = try writeVAE("other.vae.safetensors")
    #expect(try engine.ingredients(for: settings).vae == nil)
    for ending in ["safetensors", "pt", "ckpt"] {
      let path = try writeVAE("own.vae.\(ending)")
      #expect(try Engine.forTests().ingredients(for: settings).vae?.path == path)
    }
  }

  @Test func `a VAE beside a checkpoint that cannot be used is reported with the way out`() throws {
    try folder.write("own.vae.pt", "<!DOCTYPE html><html></html>")
    let error = #expect(throws: EngineError.self) { try engine.ingredients(for: settings) }
    let text = "\(try #require(error))"
    #expect(text.contains("own.vae.pt: this is a web page") && text.contains("vae: none"))
    var own = settings
    own.vae = .ownVAE
    _ = try engine.ingredients(for: own)
  }

  @Test func `the VAE beside a refiner is part of an image's identity`() throws {
    var settings = settings
    settings.refiner = ModelReference(name: "two", path: try folder.copy("model.safetensors", as: "two.safetensors"))
    settings.refinerSwitchAt = 0.5
    let before = try Engine.forTests().ingredients(for: settings)
    #expect(before.otherVAEs == nil)
    let path = try writeVAE("two.vae.pt", of: "bk.safetensors")
    let after = try Engine.forTests().ingredients(for: settings)
    #expect(after.vae == nil && after.otherVAEs?.map(\.path) == [path])
    #expect(JobID(settings, before) != JobID(settings, after))
  }

  @Test func `a configuration beside a checkpoint makes it predict the velocity, unless the settings say otherwise`()
    throws
  {
    let (epsilon, epsilonID) = (try image(), try id())
    try folder.write("own.yaml", "model:\n  params:\n    parameterization: \"v\"\n")
    var asked = settings
    asked.predictionType = .vPrediction
    #expect(try image() == Engine.forTests().generate(asked) { _ in }.pixels)
    #expect(try image() != epsilon && id() != epsilonID)
    #expect(try engine.ingredients(for: settings).model.variant == "v_prediction" && engine.takeNotes() == [])
    asked.predictionType = .epsilon
    #expect(try engine.generate(asked) { _ in }.pixels == epsilon)
    #expect(try engine.ingredients(for: asked).model.variant == nil)
    let notes = engine.takeNotes()
    #expect(
      notes.count == 1 && notes[0].contains("prediction_type: epsilon is used, although own.yaml says v_prediction"))
  }

  @Test func `a model that is shortened while it is loaded is an error that names it`() throws {
    let path = try #require(settings.model.path)
    // Larger than what is read at once when a file is opened.
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0 > 1 << 20)
    var stages = 0
    #expect(throws: TensorFileError.changed(path: path)) {
      try engine.generate(settings) { _ in
        stages += 1
        if stages == 1 { #expect(truncate(path, 500_000) == 0) }
      }
    }
  }
}
