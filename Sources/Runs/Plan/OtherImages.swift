import Foundation
import Settings

/// What a run does with images that exist already but were made with another instruction set or precision: the jobs are the
/// same, but the bytes differ, so the identities differ.
public enum OtherImagePolicy: Sendable {
  /// The run stops before it writes anything, except where the recipe itself names another precision.
  case refuse
  /// The images are kept, and the plan notes what they were made with.
  case keep
  /// The images stay on the disk, and the jobs are done again.
  case remake
}

/// The images of a run folder that jobs would make again only because of another instruction set or precision.
struct OtherImages {
  /// An image that was made with something else.
  struct Image {
    let id: JobID
    /// What the job was made from at that time.
    let ingredients: JobIngredients
    /// Whether the recipe's own precision is the reason.
    let isAskedFor: Bool
  }

  /// By the identity that the job has now.
  private(set) var images: [JobID: Image] = [:]
  /// What this run computes with, and what computed these images, for messages.
  private var now: Set<String> = []
  private var then: Set<String> = []

  /// Looks for such images.
  ///
  /// - Parameters:
  ///   - jobs: What the run would do.
  ///   - journal: The journals of its folder.
  ///   - folder: The run folder.
  /// - Throws: `RunError.notRead`.
  init(_ jobs: some Sequence<IdentifiedJob>, _ journal: JournalReader, in folder: RunFolder) throws {
    let index = journal.index
    if index.images.isEmpty { return }
    var asked: Set<JobID> = []
    var missing: [IdentifiedJob] = []
    for planned in jobs where asked.insert(planned.id).inserted && index.images[planned.id] == nil {
      missing.append(planned)
    }
    if missing.isEmpty { return }
    let kinds = try Self.kinds(of: index.images.filter { !asked.contains($0.key) }, journal)
    for planned in missing {
      let current = planned.ingredients
      var best: (image: Image, line: JournalPosition)?
      for kind in kinds where (kind.isa, kind.precision) != (current.isa, current.precision) {
        var ingredients = current
        (ingredients.isa, ingredients.precision) = (kind.isa, kind.precision)
        let id = JobID(planned.job.settings, ingredients)
        guard !asked.contains(id), let noted = index.images[id], access(folder.file(noted.file), F_OK) == 0 else {
          continue
        }
        // If there are several, the latest counts.
        if let best, best.line > noted.line { continue }
        let isAskedFor = kind.precision != current.precision && planned.job.settings.precision != .auto
        best = (Image(id: id, ingredients: ingredients, isAskedFor: isAskedFor), noted.line)
      }
      guard let image = best?.image else { continue }
      images[planned.id] = image
      now.insert("\(current.isa) (\(current.precision))")
      then.insert("\(image.ingredients.isa) (\(image.ingredients.precision))")
    }
  }

  /// How many of the images would be made again although the recipe does not ask for it.
  var countUnasked: Int { images.values.count { !$0.isAskedFor } }

  /// What was found, in words.
  var description: String {
    let count = images.count
    return """
      \(count) \(count == 1 ? "image exists" : "images exist") with \(then.sorted().joined(separator: " and ")), and this run \
      computes with \(now.sorted().joined(separator: " and "))
      """
  }

  // MARK: What images were made with

  private struct Kind: Hashable {
    var isa: String
    var precision: String
  }

  private static func kinds(
    of images: [JobID: JournalIndex.Image], _ journal: JournalReader
  ) throws -> [Kind] {
    var kinds: Set<Kind> = []
    for image in images.values {
      let line = try journal.bytes(of: image.line)
      guard let isa = text(of: "isa", in: line), let precision = text(of: "precision", in: line) else { continue }
      kinds.insert(Kind(isa: isa, precision: precision))
    }
    return kinds.sorted { ($0.isa, $0.precision) < ($1.isa, $1.precision) }
  }

  /// The value of a member of a line's identity, found without parsing the rest. Quotation marks in texts are escaped, so a
  /// match is always a key.
  private static func text(of key: String, in line: [UInt8]) -> String? {
    let mark = Array("\"\(key)\":\"".utf8)
    return line.withUnsafeBytes { bytes in
      var start = 0
      while start + mark.count < bytes.count {
        if bytes[start] == UInt8(ascii: "\""), bytes[start...].starts(with: mark) {
          let value = bytes[(start + mark.count)...].prefix { $0 != UInt8(ascii: "\"") }
          return value.count < 32 ? String(decoding: value, as: UTF8.self) : nil
        }
        start += 1
      }
      return nil
    }
  }
}

extension JobList {
  /// The images that the jobs would make again only because of another instruction set or precision.
  ///
  /// - Parameter folder: The run folder.
  /// - Returns: nil if there are none.
  /// - Throws: `RunError.notRead`.
  func otherImages(in folder: RunFolder) throws -> OtherImages? {
    // Most runs continue with the existing plan.
    if (try? PlanFile.hasIDs(ids, in: folder)) == true { return nil }
    let images = try OtherImages(identified, JournalReader(folder, try JournalIndex(folder)), in: folder)
    return images.images.isEmpty ? nil : images
  }

  /// The jobs as a run with this policy does them: with the images that it keeps.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - policy: What to do with images that were made with something else.
  ///   - report: Receives what was found, if the images are kept or made again.
  /// - Returns: The same jobs, some of them with the images that exist.
  /// - Throws: `RunError.otherImages` if images would be made again and no option asks for it.
  public func settled(
    in folder: RunFolder, _ policy: OtherImagePolicy, report: (String) -> Void = { _ in }
  ) throws -> JobList {
    guard let others = try otherImages(in: folder) else { return self }
    switch policy {
    case .keep:
      report("\(others.description); they are kept")
      return JobList(self, keeping: others.images)
    case .refuse where others.countUnasked > 0:
      throw RunError.otherImages(path: folder.path, problem: others.description)
    case .remake, .refuse:
      report("\(others.description); they are made again, and the earlier ones stay on the disk")
      return self
    }
  }
}
