import ArgumentParser
import Diffusion
import Foundation
import Hashing
import Imaging
import JSON
import Prompts
import Recipes
import Runs
import Settings
import Text

/// `sdbatch reproduce image.png`
struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract: "Make an image again from the text in it, and compare the pixels. Writes nothing.",
    discussion: """
      Finds the model by the name and hash in the text: where the image's run found it, next to the image, in the current \
      folder, in models/ in both, and in the folders in $SDBATCH_MODELS. With the same instruction set and precision, the pixels \
      are equal; fp32 is used if the text names no precision. A JPEG or lossy WebP from sdbatch contains the digest of its pixels \
      before encoding, for the comparison; for one from another program, only the similarity can be measured. Exit codes: 0 \
      equal; 3 different; 10 the image's text or settings in it are missing, or the model or a network of its prompts was not found.
      """)

  @Argument(
    help: "A PNG, JPEG or WebP image with the webui's text.",
    completion: .file(extensions: ["png", "jpg", "jpeg", "webp"]))
  var image: String

  @Option(help: "The checkpoint, a file or folder; its hash must match the text.", completion: .file())
  var model: String?

  @Option(help: "The VAE, a file or folder; its hash must match the text.", completion: .file())
  var vae: String?

  @Option(
    name: [.customLong("set"), .customShort("s")], help: "Change a setting first: --set rng=cpu. May be repeated.",
    completion: .settings)
  var overrides: [String] = []

  @Option(name: .shortAndLong, help: "The number of threads (default: one for each core that the process may use).")
  var threads: Int?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
  }

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    let imageFile = try ImageFile(path: image)
    let obstacles = imageFile.settings.obstaclesBesidesModel
    guard obstacles.isEmpty else { throw ImageFileError.notEnough(path: image, remarks: obstacles) }
    let named = imageFile.settings.model
    guard model != nil || named.name != nil || named.hash != nil else {
      throw ImageFileError.namelessModel(path: image)
    }
    for remark in imageFile.settings.remarks where [.note, .unknown].contains(remark.kind) {
      Console.error("\(remark.kind.rawValue): \(remark)")
    }
    let engine = try Engine.forCommand(threads: threads)
    let parameters = try parameters(imageFile, engine)
    let ingredients = try engine.ingredients(for: parameters)
    let comparison: ImageComparison
    if parameters.finalWidth == imageFile.image.width, parameters.finalHeight == imageFile.image.height {
      comparison = ImageComparison(imageFile.picture, try again(parameters, engine))
    } else {
      comparison = .sizes(
        "\(imageFile.image.width)x\(imageFile.image.height)", "\(parameters.finalWidth)x\(parameters.finalHeight)")
    }
    if json {
      Console.output(json: value(comparison, ingredients).jsonText)
    } else {
      Console.output("\(image): \(comparison) (\(ingredients.isa), \(ingredients.precision))")
    }
    explain(comparison, imageFile, ingredients)
    if !comparison.isEqual { throw ExitStatus.someJobsFailed }
  }

  /// Prints what may have caused a difference.
  private func explain(_ comparison: ImageComparison, _ imageFile: ImageFile, _ ingredients: JobIngredients) {
    switch comparison {
    case .different, .lossy: break
    case .equal, .sizes: return
    }
    if let isa = imageFile.manifest?["engine"]?["isa"]?.text, isa != ingredients.isa {
      Console.error("note: its run computed on \(isa), which SDBATCH_ISA=\(isa) chooses")
    }
    if imageFile.settings.settings.restoreFaces, imageFile.settings.settings.faceRestorationModel == .codeFormer {
      Console.error(
        "note: its text does not contain code_former_weight; to set it, use --set code_former_weight=0.7")
    }
    if let program = imageFile.settings.program, program != "sdbatch \(SDBatch.version)" {
      Console.error("note: it was made by \(program), whose results may differ in the last bits")
    }
  }

  /// The settings with every value checked as in a recipe, and the models that were found.
  private func parameters(_ imageFile: ImageFile, _ engine: Engine) throws -> ImageSettings {
    let options = PlanningEnvironment.ofProcess
    let search = ModelSearch(imageFile: imageFile, environment: options, engine: engine)
    var found = try search.parameters(model: model, vae: vae)
    // An image without a precision was made by another program: fp32 is closest to all of them.
    if found.precision == .auto { found.precision = .fp32 }
    let name = image + " (its recipe)"
    let recipe = try RecipeReader(environment: options)
      .read(text: Array(ImageRecipe(found).text.utf8), path: name, overrides: overrides)
    var seeds = SeedDraws()
    let plan = try Plan(recipe: recipe, environment: options, seeds: &seeds)
    guard plan.count == 1, let job = plan.jobs.first(where: { _ in true }) else {
      throw ImageFileError.severalImages(plan.count)
    }
    // The networks in the prompts may not be next to the image.
    return try AdapterSearch(imageFile: imageFile, engine: engine, folders: search.adapterFolders).placed(job.settings)
  }

  private func again(_ parameters: ImageSettings, _ engine: Engine) throws -> RGBImage {
    let isLive = Console.isTerminal && !json
    defer { if isLive { Console.live("") } }
    do {
      return try engine.generate(parameters) { progress in
        guard isLive else { return }
        switch progress {
        case .loading(let model): Console.live("loading \(model)")
        case .sampling(let step, let steps): Console.live("step \(step)/\(steps)")
        case .encoding, .upscaling, .decoding, .restoring: break
        }
      }
    } catch {
      // Settings that the engine cannot follow come from the text.
      guard !(error is any InputFailure) || error is PromptError else { throw error }
      throw ImageFileError.notMade(path: image, reason: "\(error)")
    }
  }

  private func value(_ comparison: ImageComparison, _ ingredients: JobIngredients) -> JSONValue {
    .object(
      [JSONMember("file", .string(image))] + comparison.members + [
        JSONMember("model", value(ingredients.model)), JSONMember("vae", ingredients.vae.map(value) ?? .null),
        JSONMember("isa", .string(ingredients.isa)), JSONMember("precision", .string(ingredients.precision)),
      ])
  }

  private func value(_ model: ModelIdentity) -> JSONValue {
    ["name": .string(model.name), "path": model.path.map { .string($0) } ?? .null, "sha256": .string(model.sha256)]
  }
}

/// How an image that was made again compares with the one in the file.
enum ImageComparison: Equatable, CustomStringConvertible {
  /// All values are equal; their number.
  case equal(count: Int)
  /// How many of all values differ, and the largest difference.
  case different(Int, count: Int, largest: Int)
  /// The file is lossy, and either its pixels had other values before they were encoded, or it does not say what they were.
  /// With whether the file names their digest, and the signal-to-noise ratio of its pixels, in decibels.
  case lossy(hasDigest: Bool, ratio: Double)
  /// The file's image has the first size; its settings give the second.
  case sizes(String, String)

  /// Whether the pixels are known to be the same.
  var isEqual: Bool { if case .equal = self { true } else { false } }

  /// Compares the image in a file with one that was made again.
  init(_ picture: PictureFile, _ made: RGBImage) {
    guard !picture.isLossless else {
      self.init(picture.image, made)
      return
    }
    if picture.note?.pixels == Hexadecimal.text(SHA256.hash(made.pixels)) {
      self = .equal(count: made.pixels.count)
    } else {
      self = .lossy(hasDigest: picture.note != nil, ratio: Self.ratio(picture.image, made))
    }
  }

  /// The signal-to-noise ratio of images of one size, in decibels; at most 99.
  private static func ratio(_ a: RGBImage, _ b: RGBImage) -> Double {
    let sum = zip(a.pixels, b.pixels).reduce(0.0) { sum, pair in
      let difference = Double(Int(pair.0) - Int(pair.1))
      return sum + difference * difference
    }
    let mean = sum / Double(max(a.pixels.count, 1))
    return mean == 0 ? 99 : min(99, 10 * log10(255 * 255 / mean))
  }

  init(_ a: RGBImage, _ b: RGBImage) {
    var count = 0
    var largest = 0
    for (a, b) in zip(a.pixels, b.pixels) where a != b {
      count += 1
      largest = max(largest, abs(Int(a) - Int(b)))
    }
    self = count == 0 ? .equal(count: a.pixels.count) : .different(count, count: a.pixels.count, largest: largest)
  }

  var description: String {
    switch self {
    case .equal(let count): return "equal: all \(count) values are the same"
    case .different(let different, let count, let largest):
      let share = Int((Double(different) / Double(count) * 10_000).rounded(.up))
      return """
        different: \(different) of \(count) values (\(share / 100).\(share % 100 < 10 ? "0" : "")\(share % 100) %), \
        by at most \(largest) of 255
        """
    case .lossy(let hasDigest, let ratio):
      let near = "the file's pixels are at \((ratio * 10).rounded() / 10) dB from the new ones"
      return hasDigest
        ? "different: the new pixels are not the ones that were encoded; \(near)"
        : "not comparable: the file is lossy and does not say what its pixels were; \(near)"
    case .sizes(let found, let made): return "different: the image is \(found), its settings make \(made)"
    }
  }

  var members: [JSONMember] {
    switch self {
    case .equal(let count): Self.members(true, count, 0, 0)
    case .different(let different, let count, let largest): Self.members(false, count, different, largest)
    case .lossy(let hasDigest, let ratio):
      [
        JSONMember("equal", hasDigest ? false : .null), JSONMember("decibels", .number(ratio)),
        JSONMember("problem", .string("\(self)")),
      ]
    case .sizes: [JSONMember("equal", false), JSONMember("problem", .string("\(self)"))]
    }
  }

  private static func members(_ isEqual: Bool, _ count: Int, _ different: Int, _ largest: Int) -> [JSONMember] {
    [
      JSONMember("equal", .bool(isEqual)), JSONMember("values", .integer(Int64(count))),
      JSONMember("different", .integer(Int64(different))),
      JSONMember("share", .number(Double(different) / Double(count))),
      JSONMember("largest", .integer(Int64(largest))),
    ]
  }
}
