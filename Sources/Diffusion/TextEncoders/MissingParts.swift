import Foundation

/// All parts of a model that were not found.
public struct MissingParts: Error, Hashable, CustomStringConvertible {
  /// A part of a model.
  struct Part: Hashable {
    /// The name for messages.
    var title: String
    /// The usual names of its files.
    var fileNames: [String]
    /// The folders that were searched for it, in order.
    var folders: [String]
    /// The recipe's key that names such a file; nil if there is none.
    var key: String?
    /// Files of the right kind that cannot be used, each with the reason.
    var objections: [String] = []
  }

  /// The checkpoint.
  var model: String
  /// The name of its family for messages.
  var family: String
  var parts: [Part]

  /// One message: what is missing, how such files are called, where they were searched for, and what to do.
  public var description: String {
    var lines = ["\(model): \(family) needs \(parts.count == 1 ? "a part that was" : "parts that were") not found:"]
    for part in parts {
      lines.append("  \(part.title): usually \(part.fileNames.joined(separator: ", "))")
      lines += part.objections.map { "    not usable: \($0)" }
    }
    var places: [(folders: [String], titles: [String])] = []
    for part in parts {
      if let index = places.firstIndex(where: { $0.folders == part.folders }) {
        places[index].titles.append(part.title)
      } else {
        places.append((part.folders, [part.title]))
      }
    }
    for place in places {
      lines.append(places.count == 1 ? "looked in" : "looked for \(place.titles.joined(separator: ", ")) in")
      lines += place.folders.map { "  \($0)" }
    }
    let keys = Set(parts.compactMap(\.key)).sorted()
    lines.append(
      "Put \(parts.count == 1 ? "it" : "them") into one of these folders"
        + (keys.isEmpty ? "" : ", or name the files with \(keys.joined(separator: " and "))") + ".")
    return lines.joined(separator: "\n")
  }
}
