import Foundation
import Testing
import TestSupport
import Text

@testable import Settings

/// Names of image files: the meaning of patterns, and that every file system accepts every name.
@Suite struct FileNamePatternTests {
  private func image(_ change: (inout ImageSettings) -> Void = { _ in }, axes: [(String, String)] = []) -> NamedImage {
    var settings = ImageSettings()
    settings.prompt = "a red fish, (and: a star)"
    settings.negativePrompt = "ugly"
    settings.seed = 42
    settings.cfgScale = 7
    change(&settings)
    let job = Job(
      index: 7, axes: axes.map { AxisPosition(name: $0.0, value: $0.1, title: $0.1) }, settings: settings)
    let ingredients = JobIngredients(
      model: ModelIdentity(name: "v1-5", path: nil, sha256: String(repeating: "0123456789", count: 7), family: "sd1"),
      vae: nil, vocabularySHA256: "", precision: "fp32", isa: "portable", numerics: 1)
    return NamedImage(
      job: job, id: JobID(settings, ingredients), ingredients: ingredients, started: 1_769_903_999_123,
      pixels: String(repeating: "ab", count: 32))
  }

  private func name(_ pattern: String, _ image: NamedImage) throws -> String {
    do {
      return try FileNamePattern(pattern).name(of: image)
    } catch {
      Issue.record("\(error)")
      return ""
    }
  }

  // MARK: Words

  /// The values that the webui's `FilenameGenerator` gives for the same image.
  @Test(arguments: [
    ("[seed]", "42"), ("[Seed]-[STEPS]", "42-20"), ("[cfg]", "7.0"), ("[width]x[height]", "512x512"),
    ("[sampler]", "DPM++ 2M"), ("[scheduler]", "Karras"), ("[model_name]", "v1-5"), ("[model_hash]", "0123456789"),
    ("[prompt]", "a_red_fish,_(and__a_star)"), ("[prompt_spaces]", "a red fish, (and_ a star)"),
    ("[prompt_words]", "a red fish and a star"), ("[prompt_words<2>]", "a red"), ("[clip_skip]", "1"),
    ("[seed]-[denoising]", "42"), ("[none]x", "x"), ("[vae_filename]", "None"),
    ("[hasprompt<FISH|bird><dog|cat><x>]", "fishcat"), ("[image_hash<6>]", "ababab"), ("[number]", "00007"),
    ("[datetime<%Y><Asia/Tokyo>]", "2026"), ("[datetime<%H:%M><Europe/Paris>]", "00_59"),
    ("[cfg_scale]", "7"), ("[sampler_name] [rng]", "DPM++ 2M nv"), ("[seed]-[hr_scale]", "42"), ("[seed]-[axes]", "42"),
    ("plain text", "plain text"),
  ])
  func `words mean what they mean in the webui, and keys their values`(pattern: String, expected: String) throws {
    #expect(try name(pattern, image()) == expected)
  }

  @Test func `hashes are those of the texts`() throws {
    let hash = digest(Array("a red fish, (and: a star)".utf8))
    #expect(try name("[prompt_hash]", image()) == String(hash.prefix(8)))
    #expect(try name("[prompt_hash<12>]", image()) == String(hash.prefix(12)))
    #expect(try name("[negative_prompt_hash]", image()) == String(digest(Array("ugly".utf8)).prefix(8)))
    #expect(try name("[id]", image()) == image().id.prefix(8))
  }

  @Test func `axes are words by their names, and all of them together`() throws {
    let image = image(axes: [("cfg_scale", "7"), ("Style", "oil / canvas")])
    #expect(try name("[style]/[seed]-[axes]", image) == "oil _ canvas/42-7-oil _ canvas")
  }

  @Test func `a date is that of the work on the image`() throws {
    var (seconds, fields) = (time_t(1_769_903_999), tm())
    localtime_r(&seconds, &fields)
    let date = LocalDate(secondsSince1970: 1_769_903_999).description
    #expect(try name("[date]/[seed]", image()) == date + "/42")
    #expect(try name("[job_timestamp]", image()) == Timestamp(milliseconds: 1_769_903_999_123).compactLocal)
    #expect(try name("[datetime]", image()) == Timestamp(milliseconds: 1_769_903_999_123).compactLocal)
  }

  @Test(arguments: [
    ("[seed", "]"), ("[]", "[]"), ("a//b", "empty"), ("/a", "empty"), ("a/", "ends with /"),
    ("[styles]", "no meaning"), ("1/2/3/4/5/6/7/8/9/x", "folders"), ("[batch_number]", "[number]"),
  ])
  func `what is no pattern is an error that says why`(pattern: String, part: String) {
    let error = #expect(throws: FileNamePattern.Complaint.self) { try FileNamePattern(pattern) }
    #expect(error?.message.contains(part) == true)
  }

  @Test func `words that are neither the webui's nor ours have to be keys or axes`() throws {
    #expect(try FileNamePattern("[seed]-[style]-[prompt_words]").otherWords == ["seed", "style"])
    #expect(
      FileNamePattern.isKey("sampler_index") && FileNamePattern.isKey("clip_stop_at_last_layers")
        && !FileNamePattern.isKey("style")
    )
  }

  // MARK: Attacks

  private static let attacks = [
    "../../etc/passwd", "..", ".", "/", "//", "\\..\\x", "C:\\x", "a/../../b", "CON", "con.txt", "Aux", "nul", "COM1",
    "lpt9.tar.gz", "COM\u{B9}", "CONIN$", "trailing...", "trailing   ", " leading", ".hidden", "...", "   ", "",
    "a\0b", "a\nb", "a\u{7F}b", "a\u{202E}gnp", "a\u{2028}b", "x.png", "x.PNG", "x.jpg.webp", "caf\u{65}\u{301}",
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}", String(repeating: "x", count: 300),
    String(repeating: "\u{1F41F}", count: 300), String(repeating: "\u{E4}", count: 128) + ".", "?*<>|\":#%",
    String(repeating: "a\u{301}", count: 90), "COM0 .x", "prn .y", "-rf", "~", "$HOME", "`x`", "%2e%2e%2f",
  ]

  @Test(arguments: attacks)
  func `a name is safe on every file system, whatever the prompt is`(attack: String) throws {
    for pattern in [
      "[prompt_spaces]", "[prompt_spaces]/[prompt_spaces]", "[prompt]-[seed]", "x[style].[style]", "[axes]",
    ] {
      let image = image({ $0.prompt = attack }, axes: [("style", attack)])
      let name = try name(pattern, image)
      let components = name.split(separator: "/", omittingEmptySubsequences: false)
      #expect(components.count == (pattern.contains("/") ? 2 : 1))
      for component in components {
        #expect(Self.isSafe(String(component)), "\(pattern): \(component)")
      }
      #expect(try name == FileNamePattern(pattern).name(of: image))
      #expect(name == name.precomposedStringWithCanonicalMapping)
    }
  }

  @Test(arguments: attacks)
  func `literal text is made safe too`(attack: String) {
    guard let pattern = try? FileNamePattern(attack) else { return }
    for component in pattern.name(of: image()).split(separator: "/", omittingEmptySubsequences: false) {
      #expect(Self.isSafe(String(component)))
    }
  }

  /// The rules of Windows, macOS and Linux together, written independently of the program.
  private static func isSafe(_ name: String) -> Bool {
    let stem = name.split(separator: ".", omittingEmptySubsequences: false)[0].trimmingCharacters(in: .whitespaces)
    let devices = #"^(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])$"#
    return !name.isEmpty && name != "." && name != ".." && !name.hasPrefix(".") && !name.hasPrefix("-")
      && !name.hasSuffix(".")
      && !name.hasSuffix(" ") && !name.hasPrefix(" ") && name.utf8.count <= 160
      && stem.range(of: devices, options: [.regularExpression, .caseInsensitive]) == nil
      && name.rangeOfCharacter(from: CharacterSet(charactersIn: "/\\<>:\"|?*#%")) == nil
      && !name.unicodeScalars.contains {
        $0.value < 32 || (0x7F...0x9F).contains($0.value) || (0x202A...0x202E).contains($0.value)
      }
      && ![".png", ".jpg", ".webp"].contains { name.lowercased().hasSuffix($0) }
  }

  @Test func `long values that differ at their ends stay apart, and what follows them stays`() throws {
    let long = String(repeating: "fish ", count: 100)
    let one = try name("[prompt_spaces]-[seed]", image { $0.prompt = long + "one" })
    let other = try name("[prompt_spaces]-[seed]", image { $0.prompt = long + "two" })
    #expect(one != other && one.contains("-42-") && one.hasPrefix("fish fish"))
  }
}
