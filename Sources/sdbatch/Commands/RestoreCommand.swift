import ArgumentParser
import Diffusion
import Foundation
import Imaging
import Runs
import Tensors

/// `sdbatch restore IMAGE ...`
struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Restore the faces of finished images, or of all images of a run folder.",
    discussion: """
      Writes PNG files with the same names to restored/ next to the images, or in the run folder. They have the text of the old \
      files with "Face restoration" added, and a text "postprocessing" in the webui's form. An image without faces is copied. \
      An existing file that was made from the same pixels in the same way stays unchanged. It searches for the networks in \
      Codeformer/, GFPGAN/ and face/ in the folders of models. Exit codes: 0 all done; 10 an image or a network cannot be \
      used; 74 output could not be written; 75 and 130 stopped by a signal: run it again.
      """)

  @Argument(
    help: "PNG, JPEG or WebP files, or run folders.", completion: .file(extensions: ["png", "jpg", "jpeg", "webp"]))
  var images: [String]

  @OptionGroup
  var faces: FaceOptions

  @Option(name: .shortAndLong, help: "The folder for the new files.", completion: .directory)
  var output: String?

  @Option(name: .shortAndLong, help: "The number of threads (default: as many as the process may use).")
  var threads: Int?

  func validate() throws {
    if images.isEmpty { throw ValidationError("name the images, or a run folder") }
    try faces.check()
    if faces.steps.isEmpty { throw ValidationError("if both visibilities are 0, there is nothing to do") }
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
  }

  func run() throws {
    StopSignals.install()
    let files = try UpscaledFile.all(of: images, in: output, subfolder: "restored")
    let restorer = try ImageFaces(faces, threads: threads ?? ProcessorAllotment().threads)
    let queue = FaceQueue(restorer) {
      if let reason = StopSignals.request { throw StopRequested(reason) }
    }
    func report(_ entry: FaceQueue.Entry, _ faces: Int) {
      Console.output("\(entry.file.target): \(Count(faces, "face"))")
    }
    for file in files {
      let original: PNGFile
      do {
        original = try file.read()
      } catch {
        // The earlier images are made nevertheless.
        try queue.finish(report: report)
        throw error
      }
      let text = "\(faces.note), Postprocess source: \(UpscaledFile.digest(of: original.image))"
      if file.isMade(from: original, text: text, restoredBy: restorer.name) { continue }
      try queue.add(
        FaceQueue.Entry(file: file, original: original, image: original.image, text: text), report: report)
    }
    try queue.finish(report: report)
    Console.output("\(queue.made) made, \(files.count - queue.made) existed")
  }
}
