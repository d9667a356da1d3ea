import Foundation
import JSON
import Text

/// What a user chose for one image.
public struct Pick: Hashable, Sendable {
  /// From 0, for none, to 5.
  public var stars = 0
  /// Whether the image was rejected.
  public var isRejected = false
  /// A note; empty for none.
  public var note = ""
  /// Its rank in a shoot-out, from 1; nil for none.
  public var rank: Int?
  /// When this was chosen: ISO 8601 in UTC, or empty.
  public var changed = ""

  /// A pick with nothing chosen.
  public init() {}

  /// Reads what `json` returns. Values that are missing or out of range count as not chosen.
  init(_ json: JSONValue) {
    stars = Int(min(5, max(0, json["stars"]?.integerValue ?? 0)))
    isRejected = json["rejected"] == true
    note = String((json["note"]?.text ?? "").prefix(4000))
    rank = json["rank"]?.integerValue.flatMap { $0 > 0 && $0 < 1 << 31 ? Int($0) : nil }
    changed = String((json["changed"]?.text ?? "").prefix(40))
  }

  /// An object, as in `picks.json`.
  public var json: JSONValue {
    [
      "stars": .integer(Int64(stars)), "rejected": .bool(isRejected), "note": .string(note),
      "rank": .integer(Int64(rank ?? 0)), "changed": .string(changed),
    ]
  }
}

/// What a user chose among the images of a run, by their ids: `picks.json`.
///
/// The page writes the file, through `sdbatch open` or as a download. Picks of images that a run no longer has are kept.
public struct Picks: Hashable, Sendable {
  /// By complete ids in lower case.
  public var byID: [String: Pick]

  /// The largest file that is read, in bytes: about 100 000 picks.
  private static let sizeLimit = 64 << 20

  /// These picks.
  public init(_ byID: [String: Pick] = [:]) { self.byID = byID }

  /// The picks of a run; none if it has no `picks.json`.
  ///
  /// - Parameter folder: The run.
  /// - Throws: `RunError.notRead`, or `damaged` for a file that is something else.
  public init(of folder: RunFolder) throws {
    do {
      self = try Picks(path: folder.picks)
    } catch RunError.notRead(_, let code) where code == ENOENT {
      self = Picks()
    }
  }

  /// Reads a file.
  ///
  /// - Parameter path: A `picks.json`.
  /// - Throws: `RunError.notRead`, or `damaged` for a file that is something else.
  public init(path: String) throws {
    if let size = try? FileMark(path: path).size, size > Self.sizeLimit {
      throw RunError.damaged(path: path, problem: "it is too large for picks")
    }
    let bytes = try FileReader.bytes(of: path)
    do {
      self = try Picks(JSONValue(parsing: String(decoding: bytes, as: UTF8.self)))
    } catch let error as JSONError {
      throw RunError.damaged(path: path, problem: "it is not JSON (\(error))")
    } catch let error as PicksError {
      throw RunError.damaged(path: path, problem: error.description)
    }
  }

  /// Reads the JSON of a `picks.json`.
  ///
  /// - Parameter json: An object with `schema` 1 and `picks`.
  /// - Throws: `PicksError`.
  public init(_ json: JSONValue) throws {
    guard json["schema"] == 1, case .object(let members)? = json["picks"] else {
      throw PicksError(description: "found no picks, expected an object with schema 1 and picks")
    }
    byID = [:]
    for member in members {
      let id = member.name.lowercased()
      guard (8...64).contains(id.utf8.count), id.allSatisfy(\.isHexDigit) else {
        throw PicksError(description: "found \"\(member.name.prefix(80))\", expected the id of an image")
      }
      byID[id] = Pick(member.value)
    }
  }

  /// As in `picks.json`.
  public var json: JSONValue {
    ["schema": 1, "picks": .object(byID.sorted { $0.key < $1.key }.map { JSONMember($0.key, $0.value.json) })]
  }

  /// What was chosen for an image.
  public subscript(id: String) -> Pick { byID[id] ?? Pick() }

  /// Whether an image is picked: it has stars, and is not rejected.
  public func isPicked(_ id: String) -> Bool {
    let pick = self[id]
    return !pick.isRejected && pick.stars > 0
  }

  /// Adds changes to the `picks.json` of a run. When this returns, the file has these changes and those of all other processes
  /// that do the same, and it survives a power cut.
  ///
  /// - Parameters:
  ///   - changes: What was chosen now; each pick replaces the pick of its image, unless that one is newer.
  ///   - folder: The run.
  /// - Returns: All picks.
  /// - Throws: `RunError`. A file that is not a `picks.json` stays unchanged.
  @discardableResult
  public static func add(_ changes: Picks, to folder: RunFolder) throws -> Picks {
    // The file is replaced, so another file is locked.
    let path = folder.file(".picks.lock")
    let descriptor = uninterrupted { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw RunError.notWritten(path: path, action: .create, code: errno) }
    defer { close(descriptor) }
    guard uninterrupted({ flock(descriptor, LOCK_EX) }) == 0 else {
      throw RunError.notWritten(path: path, action: .lock, code: errno)
    }
    var all = try Picks(of: folder)
    for (id, pick) in changes.byID where pick.changed >= all[id].changed { all.byID[id] = pick }
    try AtomicFile.write(Array((all.json.jsonText + "\n").utf8), to: folder.picks, on: Disk())
    return all
  }
}

/// Why a text is not a `picks.json`.
public struct PicksError: Error, Hashable, CustomStringConvertible {
  /// What was found and expected.
  public var description: String
}

extension RunFolder {
  /// What a user chose among the images.
  public var picks: String { file("picks.json") }
}
