import Diffusion
import Foundation
import Infotext
import Settings

/// Finds the LoRAs and embeddings with which an image was made, by the names and hashes in its text.
struct AdapterSearch {
  let imageFile: ImageFile
  let engine: Engine
  /// Folders that may contain `lora/` and `embeddings/`, best first.
  let folders: [String]

  /// The settings with folders in which all these files have the hashes in the text.
  ///
  /// - Parameter parameters: The image's settings, with the models that were found.
  /// - Returns: The settings.
  /// - Throws: `ImageFileError.noAdapter` if a file is missing or has a different hash; the engine's error for a file that
  ///   cannot be used.
  func placed(_ parameters: ImageSettings) throws -> ImageSettings {
    let settings = imageFile.settings
    // Texts of this program list every embedding, so embeddings that were added to the folders later must not be used.
    let isOurs = settings.program?.hasPrefix("sdbatch ") == true
    let prompts = parameters.prompt + (parameters.hires?.prompt ?? "")
    var parameters = parameters
    parameters.faceFolders = parameters.restoreFaces ? folders : []
    if isOurs, settings.loras.isEmpty, settings.embeddings.isEmpty, !prompts.contains("<") {
      var placed = parameters
      placed.adapterFolders = []
      return placed
    }
    // A file in one folder may hide a file with the same name in another folder.
    let orders = [folders] + folders.map { first in [first] + folders.filter { $0 != first } }
    var problems: [String] = []
    for order in orders {
      var placed = parameters
      placed.adapterFolders = order
      do {
        let ingredients = try engine.ingredients(for: placed)
        let (loras, embeddings) = ((ingredients.loras ?? []) + (ingredients.hiresLoRAs ?? []), ingredients.embeddings)
        let missing =
          settings.loras.filter { wanted in !loras.contains(where: wanted.isSame) }.map { wanted in
            Self.problem("LoRA", wanted, found: loras.first { wanted.names($0.name) }.map { ($0.path, $0.shortHash) })
          }
          + settings.embeddings.filter { wanted in !embeddings.contains(where: wanted.isSame) }.map { wanted in
            Self.problem(
              "embedding", wanted, found: embeddings.first { wanted.names($0.name) }.map { ($0.path, $0.shortHash) })
          }
        guard missing.isEmpty else {
          problems += missing
          continue
        }
        for embedding in embeddings where !settings.embeddings.contains(where: { $0.isSame(embedding) }) {
          Console.error("note: the prompts name the embedding \(embedding.path), which the infotext does not list")
        }
        return placed
      } catch let error as EngineError where error.isMissingAdapter {
        problems.append("\(error)")
      }
    }
    throw ImageFileError.noAdapter(
      path: imageFile.path, folders: folders,
      problems: problems.reduce(into: []) { if !$0.contains($1) { $0.append($1) } })
  }

  private static func problem(
    _ kind: String, _ wanted: InfotextSettings.NamedAdapter, found: (path: String, hash: String)?
  ) -> String {
    let name = "the \(kind) \"\(wanted.name)\" [\(wanted.hash)]"
    return found.map { "\(name); found \($0.path), whose hash is \($0.hash)" } ?? name
  }
}

extension InfotextSettings.NamedAdapter {
  /// Whether a name in a prompt means the name in the text.
  fileprivate func names(_ name: String) -> Bool { self.name == name.filter { $0 != ":" && $0 != "," } }
}
