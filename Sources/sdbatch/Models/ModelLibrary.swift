import Foundation
import JSON
import Networks
import Recipes
import Text
import Tokenization
import Weights

/// The model files in some folders and all folders in them, and what each file is.
struct ModelLibrary {
  /// One file, or one folder of diffusers.
  struct Entry {
    let path: String
    /// The path relative to the folder that was searched.
    let name: String
    /// What it is; nil if it cannot be read.
    let report: ModelReport?
    /// Why a run does not accept it in its present form, and what helps; empty if a run accepts it.
    let problems: [String]
    /// Its size on disk.
    let bytes: Int
  }

  /// The folders that were searched, with their entries by kind and name.
  let folders: [(path: String, entries: [Entry])]

  /// Searches folders; a file is listed once, for the first folder that contains it.
  ///
  /// - Parameters:
  ///   - folders: Absolute paths. Folders that do not exist have no entries.
  ///   - environment: Says where the CLIP vocabulary may be.
  init(folders: [String], environment: [String: String]) {
    let vocabularies = VocabularyLocator(environment: environment)
    var seen: Set<String> = []
    self.folders = folders.map { folder in
      let paths = ModelLocator.everyModel(below: folder).filter {
        seen.insert(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path).inserted
      }
      let entries = paths.map { Entry(path: $0, folder: folder, vocabularies) }
      return (folder, entries.sorted { ($0.order, $0.name) < ($1.order, $1.name) })
    }
  }

  /// The checkpoints that a run accepts.
  var checkpoints: [Entry] {
    folders.flatMap(\.entries).filter { $0.report?.kind == .checkpoint && $0.report?.refusal == nil }
  }

  // MARK: Text

  /// A block for each folder, a line for each file, and after it what is missing.
  var text: String {
    var blocks: [String] = []
    for (folder, entries) in folders where !entries.isEmpty {
      let rows = entries.map { [$0.kind, $0.family, $0.precision, ByteText.text($0.bytes), $0.name.printableLine] }
      let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
      var lines = [folder.printableLine]
      for (row, entry) in zip(rows, entries) {
        let cells = row.enumerated().map { index, cell in
          index < 4 ? cell + String(repeating: " ", count: widths[index] - cell.count) : cell
        }
        lines.append("  " + cells.joined(separator: "  "))
        lines += entry.problems.map { "    \($0)" }
      }
      blocks.append(lines.joined(separator: "\n"))
    }
    let empty = folders.filter(\.entries.isEmpty).map(\.path.printableLine)
    if !empty.isEmpty { blocks.append("no models in \(empty.joined(separator: ", "))") }
    return blocks.joined(separator: "\n\n")
  }

  // MARK: JSON

  /// An array with an object for each file.
  var json: JSONValue {
    .array(
      folders.flatMap(\.entries).map { entry in
        [
          "path": .string(entry.path),
          "name": .string(entry.name),
          "kind": .string(entry.kind),
          "family": entry.report?.family.map { .string($0) } ?? .null,
          "precision": entry.precision.isEmpty ? .null : .string(entry.precision),
          "bytes": .integer(Int64(entry.bytes)),
          "problems": .array(entry.problems.map { .string($0) }),
        ]
      })
  }
}

extension ModelLibrary.Entry {
  fileprivate init(path: String, folder: String, _ vocabularies: VocabularyLocator) {
    self.path = path
    name = path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
    bytes = Self.size(path)
    do {
      let report = try ModelReport(path: path)
      self.report = report
      problems = Self.problems(report, vocabularies)
    } catch {
      report = nil
      problems = ["\(error)".printableLine]
    }
  }

  /// The kind in one word or two.
  fileprivate var kind: String { report?.kind.rawValue ?? "unreadable" }
  fileprivate var family: String { report?.family ?? "" }

  /// The number type of most of its parameters.
  fileprivate var precision: String {
    var counts: [String: Int] = [:]
    for (type, count) in report?.parts.flatMap(\.elementTypes) ?? [] { counts[type.rawValue, default: 0] += count }
    return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
  }

  /// Checkpoints first, unknown files last.
  fileprivate var order: Int {
    report.flatMap { ModelReport.Kind.allCases.firstIndex(of: $0.kind) } ?? ModelReport.Kind.allCases.count
  }

  private static func problems(_ report: ModelReport, _ vocabularies: VocabularyLocator) -> [String] {
    if let refusal = report.refusal { return [refusal.printableLine] }
    guard report.kind == .checkpoint else { return [] }
    var problems: [String] = []
    let networks = report.parts.map(\.name)
    if !networks.contains("vae"), report.companionVAE == nil {
      problems.append("has no VAE: name one with vae:")
    }
    if !report.audit.isClean { problems.append("\(report.audit)".printableLine) }
    do {
      _ = try vocabularies.find(for: report.path)
    } catch {
      problems.append("\(error)".printableLine)
    }
    return problems
  }

  /// The size of a file, or of all files of a folder.
  private static func size(_ path: String) -> Int {
    var information = stat()
    guard stat(path, &information) == 0 else { return 0 }
    guard information.st_mode & S_IFMT == S_IFDIR else { return Int(information.st_size) }
    let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return names.reduce(0) { sum, name in
      var inner = stat()
      return stat(path + "/" + name, &inner) == 0 && inner.st_mode & S_IFMT == S_IFREG ? sum + Int(inner.st_size) : sum
    }
  }
}
