import Foundation
import Hashing
import Text

/// A pattern for the names of image files: text with words in brackets, and slashes between folders. The words are those of the
/// webui, some of our own, every key of recipes, and every axis of the recipe.
///
/// Source: the webui's `FilenameGenerator`. If a word has no value, the text before it is left out too. Words may be in any
/// letter case, and may have arguments in angle brackets.
public struct FileNamePattern: Hashable, Sendable {
  /// A piece of a name.
  enum Part: Hashable, Sendable {
    case text(String)
    case word(String, arguments: [String])
  }

  /// Why a text is not a pattern.
  public struct Complaint: Error {
    /// What was found, and what was expected.
    public let message: String
  }

  /// The pieces of each folder's name, and of the file's name at the end.
  let components: [[Part]]

  /// The largest number of nested folders.
  public static let depthLimit = 8

  /// Reads a pattern.
  ///
  /// - Parameter text: For example `[date]/[model_name]/[seed]-[axes]`.
  /// - Throws: `Complaint` if it is not a pattern.
  public init(_ text: String) throws(Complaint) {
    var components: [[Part]] = [[]]
    var literal = ""
    func close() {
      if !literal.isEmpty { components[components.count - 1].append(.text(literal)) }
      literal = ""
    }
    var rest = Substring(text)
    while let character = rest.popFirst() {
      switch character {
      case "/":
        close()
        components.append([])
      case "[":
        guard let end = rest.firstIndex(of: "]") else {
          throw Complaint(message: "found [ without ], expected a word in brackets such as [seed]")
        }
        close()
        components[components.count - 1].append(try Self.word(rest[..<end]))
        rest = rest[rest.index(after: end)...]
      default: literal.append(character)
      }
    }
    close()
    guard components.count <= Self.depthLimit + 1 else {
      throw Complaint(
        message: "found \(components.count - 1) nested folders, expected at most \(Self.depthLimit)")
    }
    if let empty = components.firstIndex(where: \.isEmpty) {
      throw Complaint(
        message: empty == components.count - 1
          ? "found a pattern that ends with /, expected the name of a file"
          : "found an empty name before /, expected the name of a folder in the run's images/")
    }
    self.components = components
  }

  private static func word(_ text: Substring) throws(Complaint) -> Part {
    var name = text
    var arguments: [String] = []
    while name.hasSuffix(">"), let start = name.lastIndex(of: "<") {
      arguments.insert(String(name[name.index(after: start)...].dropLast()), at: 0)
      name = name[..<start]
    }
    let word = name.lowercased()
    guard !word.isEmpty else { throw Complaint(message: "found [], expected a word such as [seed]") }
    if let reason = refused[word] { throw Complaint(message: "found [\(name)], which has no meaning here; \(reason)") }
    return .word(word, arguments: arguments)
  }

  /// Words of the webui that have no meaning here.
  private static let refused = [
    "styles": "styles are merged into the prompt; a named axis of styles is a word too",
    "prompt_no_styles": "styles are merged into the prompt; use [prompt]",
    "batch_number": "images are not made in batches; use [number]",
    "batch_size": "images are not made in batches",
    "generation_number": "images are not made in batches; use [number]",
    "user": "there are no users",
  ]

  /// The words that are neither keys nor axes.
  public static let words = [
    "seed_first", "seed_last", "cfg", "sampler", "sampler_scheduler", "model_hash", "model_name", "date", "datetime",
    "job_timestamp", "prompt_hash", "negative_prompt_hash", "full_prompt_hash", "prompt_spaces", "prompt_words",
    "hasprompt", "denoising", "vae_filename", "none", "image_hash", "number", "id", "axes",
  ]

  /// The words of the pattern that must be keys of recipes or axes.
  public var otherWords: [String] {
    components.joined().compactMap { part in
      guard case .word(let name, _) = part, !Self.words.contains(name) else { return nil }
      return name
    }
  }

  /// Whether the names depend on when an image was made, or on its pixels.
  public var isOfImages: Bool {
    components.joined().contains { part in
      guard case .word(let name, _) = part else { return false }
      return ["date", "datetime", "job_timestamp", "image_hash"].contains(name)
    }
  }
}

/// What names can contain about an image.
public struct NamedImage {
  /// The job.
  public var job: Job
  /// Its identity.
  public var id: JobID
  /// What the image is made from.
  public var ingredients: JobIngredients
  /// When the work on it started, in milliseconds since 1970; nil if it has not been made yet.
  public var started: Int64?
  /// The SHA-256 of its RGB bytes, in hexadecimal; nil if it has not been made yet.
  public var pixels: String?

  /// Creates an image.
  public init(job: Job, id: JobID, ingredients: JobIngredients, started: Int64? = nil, pixels: String? = nil) {
    (self.job, self.id, self.ingredients) = (job, id, ingredients)
    (self.started, self.pixels) = (started, pixels)
  }
}

extension FileNamePattern {
  /// The name of an image without its extension.
  ///
  /// - Parameter image: The image.
  /// - Returns: A relative path of safe names; equal for equal images.
  public func name(of image: NamedImage) -> String {
    components.map { parts in
      var (short, whole) = ("", "")
      var text = ""
      for part in parts {
        switch part {
        case .text(let literal): text += literal
        case .word(let name, let arguments):
          defer { text = "" }
          guard let value = value(name, arguments, image).map(SafeName.value) else { continue }
          short += text + SafeName.beginning(of: value, bytes: SafeName.valueLimit)
          whole += text + value
        }
      }
      return SafeName.component(short + text, whole: short == whole ? nil : whole + text)
    }.joined(separator: "/")
  }

  /// The value of a word; nil if it has none, and then the text before it is left out too.
  private func value(_ word: String, _ arguments: [String], _ image: NamedImage) -> String? {
    let settings = image.job.settings
    func length(_ usual: Int) -> Int { arguments.first.flatMap { Int($0) }.map { min(max($0, 1), 64) } ?? usual }
    func hash(_ text: String) -> String { String(Hexadecimal.text(SHA256.hash(Array(text.utf8))).prefix(length(8))) }
    switch word {
    case "seed", "seed_first", "seed_last": return "\(settings.seed)"
    case "cfg": return PythonNumber.repr(settings.cfgScale)
    case "steps": return "\(settings.steps)"
    case "clip_skip": return "\(settings.clipSkip)"
    case "width": return "\(settings.finalWidth)"
    case "height": return "\(settings.finalHeight)"
    case "sampler": return settings.sampler.rawValue
    case "sampler_scheduler":
      let schedule = settings.namedSchedule
      return settings.sampler.rawValue + (schedule == .automatic ? "" : " " + schedule.label)
    case "scheduler": return settings.namedSchedule.label
    case "model_hash": return image.ingredients.model.shortHash
    case "model_name": return image.ingredients.model.name
    case "vae_filename": return image.ingredients.vae.map { Self.withoutEnding($0.fileName) } ?? "None"
    case "date": return Self.date("%Y-%m-%d", image.started)
    case "datetime":
      return Self.date(
        arguments.first.flatMap { $0.isEmpty ? nil : $0 }, image.started, zone: arguments.dropFirst().first)
    case "job_timestamp": return Self.date(nil, image.started)
    case "prompt": return settings.prompt.replacing(" ", with: "_")
    case "prompt_spaces": return settings.prompt
    case "prompt_words": return Self.words(of: settings.prompt, count: length(8))
    case "prompt_hash": return hash(settings.prompt)
    case "negative_prompt_hash": return hash(settings.negativePrompt)
    case "full_prompt_hash": return hash(settings.prompt + " " + settings.negativePrompt)
    case "hasprompt": return Self.found(arguments, in: settings.prompt)
    case "denoising": return settings.hires.map { PythonNumber.repr($0.denoisingStrength) }
    case "image_hash": return (image.pixels ?? image.id.description).prefix(length(64)).description
    case "none": return ""
    case "number": return image.job.index.padded(to: 5)
    case "id": return image.id.prefix(length(8))
    case "axes":
      return image.job.axes.isEmpty
        ? nil
        : image.job.axes.map { SafeName.beginning(of: $0.title, bytes: SafeName.valueLimit) }.joined(separator: "-")
    default:
      if let axis = image.job.axes.first(where: { $0.name.lowercased() == word }) { return axis.title }
      return Self.key(word, settings)
    }
  }

  /// The value of a key.
  private static func key(_ word: String, _ settings: ImageSettings) -> String? {
    guard let row = row(word) else { return nil }
    if row.pass == .second, settings.hires == nil { return nil }
    switch row.value(of: settings) {
    case .text(let text): return text.isEmpty ? nil : text
    case .integer(let integer): return "\(integer)"
    case .number(let number): return Int64(exactly: number).map { "\($0)" } ?? PythonNumber.repr(number)
    case .interval(let interval): return interval.text
    case .layers(let layers): return layers.text.isEmpty ? nil : layers.text
    case .sampler(let sampler, _): return sampler.rawValue
    case .schedule(let schedule): return schedule.label
    case .model(let model): return withoutEnding(model.name)
    case .models(let models): return models.isEmpty ? nil : models.map { withoutEnding($0.name) }.joined(separator: "+")
    case .upscaler(let upscaler): return upscaler.name
    case .choice(let name): return name
    case .choices(let names): return names.isEmpty ? nil : names.joined(separator: "+")
    case .flag(let flag): return flag ? "true" : "false"
    case .folders, .null: return nil
    }
  }

  /// The setting that a word names, in any letter case.
  static func row(_ word: String) -> SettingRow? { rows[word] }

  private static let rows: [String: SettingRow] = SettingRow.all.reduce(into: [:]) { rows, row in
    guard row.isRecipeKey, row.key != "file_name" else { return }
    for name in [row.key] + row.aliases where rows[name.lowercased()] == nil { rows[name.lowercased()] = row }
  }

  /// Whether a word is the key of a setting.
  public static func isKey(_ word: String) -> Bool { row(word) != nil }

  /// The file name in a path, without its extension.
  private static func withoutEnding(_ name: String) -> String {
    let file = name.split { $0 == "/" || $0 == "\\" }.last.map(String.init) ?? name
    for ending in [".safetensors", ".ckpt", ".gguf", ".pt", ".pth"] where file.hasSuffix(ending) {
      return String(file.dropLast(ending.count))
    }
    return file
  }

  /// A time in the format language of Python and C; the default format is the webui's.
  private static func date(_ format: String?, _ started: Int64?, zone: String? = nil) -> String {
    var seconds = time_t((started ?? 0) / 1000)
    var fields = tm()
    if let zone = zone.flatMap({ TimeZone(identifier: $0) }) {
      seconds += zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
      gmtime_r(&seconds, &fields)
    } else {
      localtime_r(&seconds, &fields)
    }
    var buffer = [CChar](repeating: 0, count: 512)
    let count = strftime(&buffer, buffer.count, format ?? "%Y%m%d%H%M%S", &fields)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The first words of a prompt. Words are separated by blanks and ASCII punctuation.
  private static func words(of prompt: String, count: Int) -> String {
    let punctuation = Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    let words = prompt.split { $0.isWhitespace || punctuation.contains($0) }
    return words.isEmpty ? "empty" : words.prefix(count).joined(separator: " ")
  }

  /// For each argument `text|other`: `text` if the prompt contains it in any letter case, otherwise `other`.
  private static func found(_ arguments: [String], in prompt: String) -> String {
    let prompt = prompt.lowercased()
    return arguments.map { argument in
      let parts = argument.split(separator: "|", omittingEmptySubsequences: false)
      let wanted = parts[0].lowercased()
      if wanted.isEmpty { return "" }
      return prompt.contains(wanted) ? wanted : parts.count > 1 ? String(parts[1]) : ""
    }.joined()
  }

  /// A name as file systems compare it that ignore letter case.
  package static func folded(_ name: String) -> String { SafeName.folded(name) }
}
