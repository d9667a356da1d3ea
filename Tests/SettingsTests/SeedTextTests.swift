import Infotext
import JSON
import Settings
import SettingsTestSupport
import Testing

@Suite struct SeedTextTests {
  /// Seeds in a row, some of them twice, of all lengths.
  private static let seeds: [Int64] = [0, 7, 7, 2_147_483_648, 111_111_111_111_111_111, .max, 3]

  /// The bytes that `body` writes.
  private func written(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    body(&writer)
    return writer.bytes
  }

  @Test(arguments: SamplerID.allCases)
  func `what is composed for images that differ in the seed is what is written for each alone`(sampler: SamplerID) {
    var random = RandomSettings(seed: UInt64(sampler.rawValue.utf8.count) + 77)
    var sequence = SeedSequence()
    var (planned, shown, text) = (SeedText(), SeedText(), SeedText())
    var info = SeedText(.text, .digits)
    for number in 0..<24 {
      var settings = random.next(sampler)
      // The text that is searched must not be confused with the user's text.
      if number % 3 == 0 {
        settings.prompt += " 111111111111111111 \(String(repeating: "x", count: 24)) 33333333333333"
      }
      if number % 4 == 0 { settings.subseed = 222_222_222_222_222_222 }
      var ingredients = sampleIngredients
      if number % 2 == 0 { ingredients.refiner = ingredients.model }
      if settings.hires != nil, number % 3 == 1 { ingredients.hiresModel = ingredients.model }
      for (index, seed) in Self.seeds.enumerated() {
        settings.seed = seed
        sequence.note(settings, ingredients)
        func of(_ slots: SeedText.Slots) -> ImageSettings {
          var settings = settings
          settings.seed = slots.seed
          return settings
        }
        func check(
          _ text: inout SeedText, _ slots: SeedText.Slots, _ body: (SeedText.Slots, inout JSONWriter) -> Void
        ) {
          var writer = JSONWriter()
          writer.array { writer in
            writer.integer(1)
            text.write(slots, of: sequence.group, to: &writer, body)
            writer.integer(2)
          }
          let alone = written { writer in
            writer.array { writer in
              writer.integer(1)
              body(slots, &writer)
              writer.integer(2)
            }
          }
          #expect(writer.bytes == alone, "\(String(decoding: alone, as: UTF8.self))")
        }
        let slots = SeedText.Slots(seed: seed)
        check(&planned, slots) { of($0).writePlanned(to: &$1) }
        check(&shown, slots) { SettingsInUse(of($0), ingredients).writeShown(to: &$1) }
        check(&text, slots) { $1.string(Infotext(of($0), ingredients, version: "1.2.3").text) }
        // Not every image has been made.
        if index % 3 == 1 { continue }
        let infotext = index == 4 ? "an \"older\"\ntext, \\ 日本" : Infotext(settings, ingredients, version: "1.2.2").text
        check(&info, SeedText.Slots(seed: seed, texts: [infotext, "2026013123595\(index)"])) { slots, writer in
          writer.value(
            GenerationInfo.json(
              of(slots), ingredients, infotext: slots.texts[0], version: "1.2.3", timestamp: slots.texts[1]))
        }
      }
    }
  }

  @Test func `images are of one group as long as nothing but the seed changes`() {
    var sequence = SeedSequence()
    var (settings, ingredients) = (ImageSettings(), sampleIngredients)
    func group() -> Int {
      sequence.note(settings, ingredients)
      return sequence.group
    }
    #expect(group() == 1)
    settings.seed = 5
    #expect(group() == 1)
    settings.subseed = 5
    #expect(group() == 2)
    ingredients.vae = ingredients.model
    #expect(group() == 3)
    settings.seed = 6
    #expect(group() == 3)
    settings.hires = HiresSettings()
    #expect(group() == 4)
    settings.hires = nil
    #expect(group() == 5)
  }
}
