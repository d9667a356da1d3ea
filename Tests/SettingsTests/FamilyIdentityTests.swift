import JSON
import Settings
import SettingsTestSupport
import Testing

/// What is part of the identity of images from models that are trained by flow matching.
@Suite struct FamilyIdentityTests {
  private func settings(_ family: FamilyID) -> ImageSettings {
    var settings = ImageSettings()
    settings.model = ModelReference(name: "model", path: "/model", family: family)
    settings.sampler = .euler
    return settings
  }

  private func changes(_ family: FamilyID, _ change: (inout ImageSettings) -> Void) -> Bool {
    let before = settings(family)
    var after = before
    change(&after)
    return JobID(before, sampleIngredients) != JobID(after, sampleIngredients)
  }

  @Test func `the guidance that the network reads counts for Flux dev only`() {
    for family in FamilyID.allCases {
      #expect(changes(family) { $0.distilledCFGScale = 2 } == (family == .flux1Dev), "\(family)")
      // As in Forge, 0 means 3.5.
      #expect(!changes(family) { $0.distilledCFGScale = 0 })
    }
  }

  @Test func `the shift in use counts, whether it is given or the family's`() {
    #expect(!changes(.stableDiffusion) { $0.shift = 5 })
    for family in FamilyID.allCases {
      guard let flow = family.traits.flow else { continue }
      #expect(changes(family) { $0.shift = 5 }, "\(family)")
      #expect(changes(family) { $0.shift = flow.table.shift } == flow.hasOwnCurve, "\(family)")
    }
    #expect(!changes(.klein) { $0.scheduler = .flux2 } && changes(.klein) { $0.scheduler = .simple })
  }

  @Test func `clip skip and emphasis count only where they are read`() {
    for family in FamilyID.allCases {
      #expect(changes(family) { $0.clipSkip = 2 } == (family == .stableDiffusion), "\(family)")
      var with = settings(family)
      with.prompt = "a (red:1.2) fish"
      var without = with
      without.emphasis = .none
      let differs = JobID(with, sampleIngredients) != JobID(without, sampleIngredients)
      #expect(differs == family.traits.prompts.readsWeights, "\(family)")
    }
  }

  @Test func `files of text encoders count by digest, in their order`() {
    var (one, two) = (sampleIngredients, sampleIngredients)
    func file(_ name: String, _ digit: Character) -> ModelIdentity {
      ModelIdentity(name: name, path: "/" + name, sha256: String(repeating: digit, count: 64), family: "text_encoder")
    }
    let settings = settings(.flux1Dev)
    #expect(String(decoding: JobID.canonicalJSON(settings, one), as: UTF8.self).contains("text_encoders") == false)
    one.textEncoders = [file("a", "1"), file("b", "2")]
    two.textEncoders = [file("x", "1"), file("y", "2")]
    #expect(JobID(settings, one) == JobID(settings, two))
    two.textEncoders?.swapAt(0, 1)
    #expect(JobID(settings, one) != JobID(settings, two))
  }

  @Test func `a model's family is in the plan, and plans without one are of Stable Diffusion`() throws {
    for family in FamilyID.allCases {
      let settings = settings(family)
      var writer = JSONWriter()
      settings.writePlanned(to: &writer)
      let json = try writer.bytes.withUnsafeBufferPointer { try JSONValue(parsing: $0) }
      #expect((json["model"]?["family"]?.text ?? "stable-diffusion") == family.rawValue)
      #expect(try ImageSettings(planned: json) == settings)
    }
  }
}
