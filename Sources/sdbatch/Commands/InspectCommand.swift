import ArgumentParser
import Foundation
import Infotext
import JSON
import Recipes
import Settings
import TensorFiles
import Text

/// `sdbatch inspect image.png`, `sdbatch inspect model.safetensors`
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show the settings of an image and a recipe that makes it, or describe a model file.",
    discussion: """
      Reads the text in PNG, JPEG and WebP images of sdbatch and of the webui. Also reads models, VAEs, LoRAs, textual inversions, \
      upscalers and face restoration networks in every format that a run accepts. Exit codes: 0 done; 10 the image has no \
      such text, or the file is damaged.
      """)

  @Argument(help: "An image, a model file or a model's folder.", completion: .file())
  var file: String

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    if ImageFileError.isModel(file) || TensorFile.isLikely(path: file) {
      let model = try ModelInspection(path: file, environment: ProcessInfo.processInfo.environment)
      if json { Console.output(json: model.json.jsonText) } else { Console.output(text: model.text) }
      return
    }
    let imageFile = try ImageFile(path: file)
    if json { Console.output(json: Self.json(imageFile).jsonText) } else { Console.output(text: Self.text(imageFile)) }
  }

  // MARK: Text

  private static func text(_ imageFile: ImageFile) -> String {
    let settings = imageFile.settings
    let program = settings.program.map { " by \($0)" } ?? ""
    var rows = [("prompt", imageFile.infotext.prompt)]
    if !imageFile.infotext.negativePrompt.isEmpty {
      rows.append(("negative prompt", imageFile.infotext.negativePrompt))
    }
    rows += imageFile.infotext.items.map { ($0.key, $0.value) }
    let width = min(rows.map { $0.0.count }.max() ?? 0, 30)
    let format = imageFile.picture.format == .png ? "" : " " + imageFile.format
    var lines = [
      "\(imageFile.path.printableLine): \(imageFile.image.width)x\(imageFile.image.height)\(format)\(program)", "",
    ]
    for (key, value) in rows {
      for (index, line) in value.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        let head = index == 0 ? key : ""
        let padding = String(repeating: " ", count: max(width - head.count, 0))
        lines.append(line.isEmpty ? head : "\(head)\(padding)  \(line)")
      }
    }
    if !settings.remarks.isEmpty {
      lines.append("")
      lines += settings.remarks.map { "\($0.kind.rawValue): \($0)".printableLine }
    }
    lines += ["", settings.isComplete ? "# A recipe for this image:" : "# A recipe for the settings that can be used:"]
    return lines.joined(separator: "\n") + "\n" + ImageRecipe(settings.settings).text.trimmedEnd
  }

  // MARK: JSON

  private static func json(_ imageFile: ImageFile) -> JSONValue {
    let settings = imageFile.settings
    return [
      "file": .string(imageFile.path),
      "width": .integer(Int64(imageFile.image.width)),
      "height": .integer(Int64(imageFile.image.height)),
      "format": .string(imageFile.format),
      "program": settings.program.map { .string($0) } ?? .null,
      "prompt": .string(imageFile.infotext.prompt),
      "negative_prompt": .string(imageFile.infotext.negativePrompt),
      "settings": .object(imageFile.infotext.items.map { JSONMember($0.key, .string($0.value)) }),
      "model": json(settings.model),
      "vae": settings.vae.map(json) ?? .null,
      "text_encoder": settings.textEncoder.map(json) ?? .null,
      "refiner": settings.refiner.map(json) ?? .null,
      "hires_checkpoint": settings.hiresModel.map(json) ?? .null,
      "parameters": ImageRecipe.json(settings.settings),
      "complete": .bool(settings.isComplete),
      "remarks": .array(
        settings.remarks.map {
          ["kind": .string($0.kind.rawValue), "key": .string($0.key), "text": .string($0.text)]
        }),
      "recipe": .string(ImageRecipe(settings.settings).text),
      "infotext": .string(imageFile.infotext.text),
    ]
  }

  private static func json(_ model: InfotextSettings.NamedModel) -> JSONValue {
    ["name": model.name.map { .string($0) } ?? .null, "hash": model.hash.map { .string($0) } ?? .null]
  }
}

extension String {
  /// The text without line feeds at its end.
  fileprivate var trimmedEnd: String { String(self[..<(lastIndex { $0 != "\n" }.map(index(after:)) ?? startIndex)]) }
}
