import Hashing
import Infotext
import JSON
import Settings
import Text

/// Compares a journal line with its job: the identity's digest with the id, and the image's text with the job's settings.
struct LineExamination {
  /// What is wrong with the line; nil for a correct one.
  let problem: (kind: Finding.Kind, text: String)?

  /// Examines the line of an image whose file is as the line says.
  ///
  /// - Parameters:
  ///   - noted: The line.
  ///   - identity: The digest of the identity's parts, if the line has them.
  ///   - planned: The job that the plan has for the image; nil for an image that the plan does not ask for.
  ///   - version: The program that made the plan.
  init(_ noted: FinishedImage, identity: JobID?, planned: IdentifiedJob?, version: String) {
    if let identity, identity != noted.id {
      problem = (.identity, "its journal line has the identity of another image, \(identity.prefix(8))")
      return
    }
    problem = planned.flatMap { planned in
      Self.difference(
        found: noted.infotext,
        expected: Infotext(planned.job.settings, planned.ingredients, version: version).text
      ).map { (.otherJob, "is of another job: \($0)") }
    }
  }

  /// Keys that every text of this program has, and whose values are part of the identity.
  private static let always = ["Seed", "Steps", "Sampler", "CFG scale", "Size", "Model hash", "RNG", "Precision"]
  /// Keys that are compared only if both texts have them: a key may be left out because it has no effect.
  private static let ifThere = ["Clip skip", "Denoising strength", "Variation seed", "Variation seed strength"]

  /// How two texts differ in settings that affect pixels; nil if they do not. An image that a changed recipe uses again may
  /// have another text in other respects, for example the name of a model file.
  private static func difference(found: String, expected: String) -> String? {
    if found == expected { return nil }
    let (found, expected) = (ParsedInfotext(found), ParsedInfotext(expected))
    for key in always + ifThere {
      let (one, other) = (found.value(of: key), expected.value(of: key))
      if one == other || (one == nil || other == nil) && ifThere.contains(key) { continue }
      return "its text has \(key) \((one ?? "none").abridged), the plan \((other ?? "none").abridged)"
    }
    if found.prompt != expected.prompt { return "its text has another prompt than the plan" }
    // Without guidance, the negative prompt has no effect.
    let isGuided = expected.value(of: "CFG scale").flatMap(Double.init) != 1
    if isGuided, found.negativePrompt != expected.negativePrompt {
      return "its text has another negative prompt than the plan"
    }
    return nil
  }
}

extension JournalReader {
  /// The digest of the identity in an image's line; nil for a line without one.
  func identityDigest(_ id: JobID) throws -> JobID? {
    guard let line = index.images[id]?.line else { return nil }
    return try bytes(of: line).withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes, repeatedKeys: .kept)
      var range: Range<Int>?
      try? cursor.object { cursor, key throws(JSONError) in
        let start = cursor.offset
        try cursor.skip()
        if key == "identity" { range = start..<cursor.offset }
      }
      guard let range else { return nil }
      return JobID(Hexadecimal.text(SHA256.hash(UnsafeRawBufferPointer(rebasing: bytes[range]))))
    }
  }
}
