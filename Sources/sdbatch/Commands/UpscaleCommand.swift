import ArgumentParser
import Diffusion
import Foundation
import Imaging
import Recipes
import Runs
import Tensors

/// `sdbatch upscale IMAGE ...`
struct UpscaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upscale",
    abstract: "Enlarge finished images, or all images of a run folder.",
    discussion: """
      Writes PNG files with the same names to upscaled/ next to the images, or in the run folder. They have the text of the old \
      files, and a text "postprocessing" in the webui's form. An existing file that was made from the same pixels in the \
      same way stays unchanged. Exit codes: 0 all done; 10 an image or the upscaler cannot be used; 74 output could not \
      be written; 75 and 130 stopped by a signal: run it again.
      """)

  @Argument(
    help: "PNG, JPEG or WebP files, or run folders.", completion: .file(extensions: ["png", "jpg", "jpeg", "webp"]))
  var images: [String]

  @Flag(help: "For a run folder, only the images with stars in its picks.json.")
  var picks = false

  @Option(
    help:
      "Lanczos, Nearest, or the file of a network of the ESRGAN family, also in upscalers/ in the folders of models."
  )
  var upscaler = "Lanczos"

  @Option(help: "The factor for the length of each side.")
  var by = 2.0

  @Option(help: ArgumentHelp("The new size, instead of a factor.", valueName: "WxH"))
  var to: String?

  @Flag(help: "Restore faces in the enlarged images, as the command restore does.")
  var restoreFaces = false

  @OptionGroup
  var faces: FaceOptions

  @Option(name: .shortAndLong, help: "The folder for the new files.", completion: .directory)
  var output: String?

  @Option(name: .shortAndLong, help: "The number of threads (default: as many as the process may use).")
  var threads: Int?

  func validate() throws {
    if images.isEmpty { throw ValidationError("name the images, or a run folder") }
    if !(1...8).contains(by) { throw ValidationError("--by takes 1 to 8") }
    if let to, size(to) == nil { throw ValidationError("--to \(to): expected a size from 8x8 to 16384x16384") }
    try faces.check()
    if restoreFaces, faces.steps.isEmpty { throw ValidationError("if both visibilities are 0, no faces are restored") }
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
  }

  private func size(_ text: String) -> (width: Int, height: Int)? {
    let sides = text.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sides.count == 2, let width = sides[0], let height = sides[1], (8...16_384).contains(width),
      (8...16_384).contains(height)
    else { return nil }
    return (width, height)
  }

  func run() throws {
    StopSignals.install()
    let method = try self.method()
    let files = try UpscaledFile.all(of: images, in: output, picksOnly: picks)
    let threads = threads ?? ProcessorAllotment().threads
    let restorer = restoreFaces ? try ImageFaces(faces, threads: threads) : nil
    let upscaler = try ImageUpscaler(method, threads: threads)
    func proceed(_: Int, _: Int) throws {
      if let reason = StopSignals.request { throw StopRequested(reason) }
    }
    let queue = restorer.map { restorer in FaceQueue(restorer, proceed: { try proceed(0, 0) }) }
    func report(_ entry: FaceQueue.Entry, _ faces: Int) {
      Console.output("\(entry.file.target): \(entry.image.width)x\(entry.image.height), \(Count(faces, "face"))")
    }
    var made = 0
    for file in files {
      let original: PNGFile
      do {
        original = try file.read()
      } catch {
        // The earlier images are made nevertheless.
        try queue?.finish(report: report)
        throw error
      }
      let text = Self.note(
        method, by: to == nil ? by : nil, to: to.flatMap(size), faces: restoreFaces ? faces.note : nil,
        of: original.image)
      if file.isMade(from: original, text: text, restoredBy: restorer?.name) { continue }
      try proceed(0, 0)
      let large =
        if let to, let size = size(to) {
          try upscaler.upscaled(original.image, width: size.width, height: size.height, progress: proceed)
        } else {
          try upscaler.upscaled(original.image, by: by, progress: proceed)
        }
      if let queue {
        try queue.add(FaceQueue.Entry(file: file, original: original, image: large, text: text), report: report)
      } else {
        try file.write(large, from: original, text: text)
        made += 1
        Console.output("\(file.target): \(large.width)x\(large.height)")
      }
    }
    try queue?.finish(report: report)
    made += queue?.made ?? 0
    Console.output("\(made) made, \(files.count - made) existed")
  }

  private func method() throws -> ImageUpscaler.Method {
    if let filter = ImageFilter.allCases.first(where: { $0.rawValue.lowercased() == upscaler.lowercased() }) {
      return .filter(filter)
    }
    let locator = ModelLocator(
      recipePath: FileManager.default.currentDirectoryPath + "/.", environment: .ofProcess)
    if let path = locator.upscaler(upscaler) { return .network(path: path) }
    throw UpscaleError.noUpscaler(
      name: upscaler, folders: locator.folders,
      nearest: NearestName.find(upscaler, among: ImageFilter.allCases.map(\.rawValue) + locator.upscalerNames()))
  }

  /// What the webui writes as "postprocessing", and the digest of the original pixels.
  private static func note(
    _ method: ImageUpscaler.Method, by factor: Double?, to size: (width: Int, height: Int)?, faces: String?,
    of image: RGBImage
  ) -> String {
    let name =
      switch method {
      case .filter(let filter): filter.rawValue
      case .network(let path): URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      }
    let goal =
      factor.map { "Postprocess upscale by: \($0)" } ?? size.map { "Postprocess upscale to: \($0)x\($1)" } ?? ""
    let parts = [goal, "Postprocess upscaler: \(name)", faces, "Postprocess source: \(UpscaledFile.digest(of: image))"]
    return parts.compactMap { $0 }.joined(separator: ", ")
  }
}

/// Why images could not be enlarged.
enum UpscaleError: InputFailure, CustomStringConvertible {
  /// There is no upscaler with this name.
  case noUpscaler(name: String, folders: [String], nearest: String?)
  /// There is no image at this path.
  case notRead(path: String, reason: String)
  /// Two new files would have the same name.
  case sameName(path: String)

  var description: String {
    switch self {
    case .noUpscaler(let name, let folders, let nearest):
      """
      --upscaler: found "\(name)", expected Lanczos, Nearest or the file of a network, but there is none in \
      \(folders.flatMap { [$0, $0 + "/upscalers"] }.joined(separator: ", "))\(nearest.map { " (did you mean \"\($0)\"?)" } ?? "")
      """
    case .notRead(let path, let reason): "\(path): \(reason)"
    case .sameName(let path): "two of the images would both become \(path); name different folders with --output"
    }
  }
}
