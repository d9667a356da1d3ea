import Hashing
import JSON
import Text

/// The identity of an image: a digest of exactly what affects its pixels.
public struct JobID: Hashable, Sendable, CustomStringConvertible {
  /// The digest's bytes as big-endian words of eight bytes.
  private let words: SIMD4<UInt64>

  /// The identity of the image with these settings and ingredients.
  ///
  /// It is the SHA-256 of their canonical JSON; see `canonicalJSON`.
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients) {
    self.init(digest: SHA256.hash(Self.canonicalJSON(settings, ingredients)))
  }

  /// Reads 64 lower-case hexadecimal digits; nil for other text.
  public init?(_ hex: some StringProtocol) { self.init(String(hex)) }

  /// Reads 64 lower-case hexadecimal digits; nil for other text.
  public init?(_ hex: String) {
    var words = SIMD4<UInt64>()
    var count = 0
    for byte in hex.utf8 {
      guard count < 64, let digit = Hexadecimal.value(byte), !(UInt8(ascii: "A")...UInt8(ascii: "F") ~= byte) else {
        return nil
      }
      words[count / 16] = words[count / 16] << 4 | UInt64(digit)
      count += 1
    }
    guard count == 64 else { return nil }
    self.words = words
  }

  /// The identity with this digest.
  package init(digest: SHA256Digest) {
    var words = SIMD4<UInt64>()
    for (index, byte) in digest.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
    self.words = words
  }

  /// 64 lower-case hexadecimal digits.
  public var description: String { prefix(64) }

  /// The first digits of the identity.
  ///
  /// - Parameter count: The number of digits, at most 64.
  /// - Returns: Lower-case hexadecimal digits.
  public func prefix(_ count: Int) -> String {
    String(unsafeUninitializedCapacity: count) { buffer in
      for index in 0..<count {
        buffer[index] = Hexadecimal.digits[Int(words[index / 16] >> UInt64(60 - index % 16 * 4) & 15)]
      }
      return count
    }
  }

  /// The digest is uniformly distributed, so one word of it is enough for hash tables.
  public func hash(into hasher: inout Hasher) { hasher.combine(words[0]) }
}

extension JobID {
  /// The bytes that are digested: an object with sorted members, without white space. Numbers are written as Python prints
  /// them, and text is not escaped.
  ///
  /// It contains no names or paths: models are identified by digest. Settings that do not affect the image's pixels are left
  /// out, so jobs that differ only in those share one image.
  public static func canonicalJSON(_ settings: ImageSettings, _ ingredients: JobIngredients) -> [UInt8] {
    let image = SettingsInUse(settings, ingredients)
    var writer = JSONWriter()
    writer.object { writer in
      for member in IdentityMember.ofImage { member.write(image, &writer) }
    }
    return writer.bytes
  }
}

/// Computes the ids of jobs, one after the other.
///
/// In most grids the fastest axis is the seed, so only the seed changes from job to job. Then the rest of the digested text is
/// reused, and the ingredients may be reused too.
public struct JobIDSequence {
  /// The last job's settings.
  private var last: ImageSettings?
  /// The digest of the canonical text before the seed, and the text after it.
  private var before = SHA256()
  private var after: [UInt8] = []

  /// Creates a sequence without jobs.
  public init() {}

  /// Whether a job equals the previous one except for its seed. It then has the same ingredients.
  public mutating func onlySeedDiffers(_ settings: ImageSettings) -> Bool {
    last?.seed = settings.seed
    return settings == last
  }

  /// The identity of the next job.
  ///
  /// - Parameters:
  ///   - settings: The job's settings.
  ///   - ingredients: The job's ingredients; nil if `onlySeedDiffers`.
  /// - Returns: The job's identity.
  public mutating func next(_ settings: ImageSettings, _ ingredients: JobIngredients?) -> JobID {
    if let ingredients {
      var text = settings
      text.seed = 1
      let one = JobID.canonicalJSON(text, ingredients)
      text.seed = 2
      let two = JobID.canonicalJSON(text, ingredients)
      let digit = zip(one, two).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? 0
      before = SHA256()
      before.update(one[..<digit])
      after = Array(one[(digit + 1)...])
      last = settings
    }
    var hash = before
    hash.update(Array(String(settings.seed).utf8) + after)
    return JobID(digest: hash.finalize())
  }
}

/// One member of the digested object.
struct IdentityMember: Sendable {
  let name: String
  /// Writes the member, unless it does not apply to the image.
  let write: @Sendable (SettingsInUse, inout JSONWriter) -> Void

  /// A member that is written unless its value is nil.
  private init(_ name: String, _ value: @escaping @Sendable (SettingsInUse) -> JSONValue?) {
    self.name = name
    write = { image, writer in
      if let value = value(image) { writer.member(name, value) }
    }
  }

  /// The member for a setting; nil if other members cover the setting's effect.
  private init?(_ row: SettingRow) {
    guard let member = row.effect.member else { return nil }
    self.init(
      member.name ?? row.key,
      member.value ?? { image in row.value(of: image.settings).json.only(if: row.effect.applies(image)) })
  }

  /// A nested object; omitted unless `isWritten` is true.
  private init(
    _ name: String, of members: [IdentityMember], when isWritten: @escaping @Sendable (SettingsInUse) -> Bool
  ) {
    self.name = name
    write = { image, writer in
      guard isWritten(image) else { return }
      writer.key(name)
      writer.object { writer in for member in members { member.write(image, &writer) } }
    }
  }

  /// The members of an image's identity, sorted.
  static let ofImage: [IdentityMember] = sorted(
    rows(of: .every) + [
      IdentityMember("embeddings") { image in
        let embeddings = image.ingredients.embeddings
        return JSONValue.array(embeddings.map { .string($0.sha256) }).only(if: !embeddings.isEmpty)
      },
      IdentityMember("isa") { .string($0.ingredients.isa) },
      IdentityMember("loras") { $0.ingredients.loras.map(json) },
      IdentityMember("model_family") { .string($0.ingredients.model.family) },
      IdentityMember("numerics") { .integer(Int64($0.ingredients.numerics)) },
      IdentityMember("other_vaes") { image in
        image.ingredients.otherVAEs.map { .array($0.map { .string($0.sha256) }) }
      },
      IdentityMember("text_repair") { $0.ingredients.textRepair.map { .integer(Int64($0)) } },
      IdentityMember("upsampling") { $0.ingredients.upsampling.map { .string($0) } },
      IdentityMember("vocabulary") { .string($0.ingredients.vocabularySHA256) },
      IdentityMember("hires", of: ofSecondPass) { $0.second != nil },
    ])

  /// The effective second pass, sorted. It does not matter which settings it results from.
  private static let ofSecondPass: [IdentityMember] = sorted(
    rows(of: .second) + [
      size("columns") { $0.columns.count },
      size("first_column") { $0.columns.lowerBound },
      size("first_row") { $0.rows.lowerBound },
      size("height") { $0.height },
      size("rows") { $0.rows.count },
      size("width") { $0.width },
      IdentityMember("loras") { image in
        image.ingredients.hiresLoRAs.flatMap { json($0).only(if: image.sampledAgain != nil) }
      },
    ])

  private static func rows(of pass: SettingRow.Pass) -> [IdentityMember] {
    SettingRow.all.filter { $0.pass == pass }.compactMap(IdentityMember.init)
  }

  private static func sorted(_ members: [IdentityMember]) -> [IdentityMember] { members.sorted { $0.name < $1.name } }

  private static func size(_ name: String, _ side: @escaping @Sendable (HiresSize) -> Int) -> IdentityMember {
    IdentityMember(name) { $0.settings.hiresSize.map { .integer(Int64(side($0))) } }
  }

  @Sendable private static func json(_ loras: [LoRAIdentity]) -> JSONValue {
    .array(
      loras.map { lora in
        .object(
          (lora.rankLimit.map { [JSONMember("rank", .integer(Int64($0)))] } ?? []) + [
            JSONMember("sha256", .string(lora.sha256)), JSONMember("te", .number(lora.textMultiplier)),
            JSONMember("unet", .number(lora.unetMultiplier)),
          ])
      })
  }
}
