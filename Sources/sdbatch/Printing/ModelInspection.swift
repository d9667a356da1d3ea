import Hashing
import Foundation
import JSON
import Networks
import Text
import TensorFiles
import Weights

/// What `sdbatch inspect` reports about a model file or folder.
struct ModelInspection {
  private let report: ModelReport
  /// The digest; nil for a folder that cannot be opened.
  private let sha256: String?
  /// The webui's hash before 2023; nil for folders.
  private let oldHash: String?
  /// What the webui writes into `Lora hashes`; nil for files that are not LoRAs.
  private let loraHash: String?
  /// What the webui writes into `TI hashes`; nil for files that are not textual inversions.
  private var embeddingHash: String? { report.kind == .embedding ? sha256.map { String($0.prefix(12)) } : nil }

  /// Reads a file or folder; hashes are stored in the cache of the user with these environment variables.
  ///
  /// Throws `WeightError` or `TensorFileError` for a file that is damaged or refused.
  init(path: String, environment: [String: String]) throws {
    report = try ModelReport(path: path)
    let cache = DigestCache(environment: environment)
    switch report.archive {
    case .model(let archive): sha256 = try archive.sha256(cache)
    case .transformer(let archive): sha256 = try archive.sha256(cache)
    case .vae(let archive): sha256 = try archive.sha256(cache)
    // Which files of a folder count is known only if it can be opened.
    case nil: sha256 = try report.container.map { _ in try cache.sha256(ofFileAt: path) }
    }
    oldHash = report.container == nil ? nil : Self.oldHash(path)
    loraHash = report.kind == .lora ? try cache.adapterHash(ofFileAt: path, metadata: report.metadata) : nil
  }

  /// The hash that the webui used before 2023: it covers 64 KB of the file.
  static func oldHash(_ path: String) -> String? {
    guard let file = FileHandle(forReadingAtPath: path), (try? file.seek(toOffset: 0x100000)) != nil else { return nil }
    let bytes = (try? file.read(upToCount: 0x10000)) ?? Data()
    return String(Hexadecimal.text(SHA256.hash(bytes)).prefix(8))
  }

  private var modelHash: String? { sha256.map { String($0.prefix(10)) } }

  /// Whether a run would accept it, according to its list of tensors.
  private var isUsable: Bool { report.kind != .other && report.refusal == nil && report.audit.isClean }

  // MARK: Text

  /// Lines for people.
  var text: String {
    var rows: [(String, String)] = [("kind", report.kind.rawValue)]
    if let family = report.family { rows.append(("family", family)) }
    if let layout = report.layout { rows.append(("layout", layout)) }
    rows.append(("container", report.container?.rawValue ?? "diffusers folder"))
    if report.kind == .checkpoint, report.refusal == nil {
      let source = report.predictionSource.map { " (\($0))" } ?? ""
      rows.append(("prediction", (report.prediction ?? "not in the files") + source))
      if let noise = report.noise { rows.append(("noise schedule", noise)) }
      if let vae = report.companionVAE { rows.append(("default vae", vae)) }
    }
    if let modelHash, let sha256 { rows += [("model hash", modelHash), ("sha256", sha256)] }
    if let oldHash { rows.append(("old hash", oldHash)) }
    if let loraHash { rows.append(("lora hash", loraHash)) }
    if let embeddingHash { rows.append(("ti hash", embeddingHash)) }
    for part in report.parts { rows.append((part.name, Self.text(part))) }
    if let encoder = report.encoder { rows.append(("vae encoder", Self.text(encoder))) }
    for (key, value) in report.metadata.sorted(by: { $0.key < $1.key }).prefix(40) {
      rows.append((key.abridged, value.abridged))
    }
    if report.metadata.count > 40 { rows.append(("...", "\(report.metadata.count - 40) more values; see --json")) }
    let width = min(rows.map { $0.0.count }.max() ?? 0, 30)
    var lines = ["\(report.path.printableLine):", ""]
    lines += rows.map { "\($0.0)\(String(repeating: " ", count: max(width - $0.0.count, 0)))  \($0.1)" }
    for remark in report.remarks { lines += ["", "note: \(remark)"] }
    if case .unusable(let audit) = report.encoder { lines += ["", "VAE encoder: \(audit)"] }
    if let refusal = report.refusal { lines += ["", refusal] }
    // Audits and refusals name the file, too.
    return lines.joined(separator: "\n").replacingOccurrences(of: report.path, with: report.path.printableLine)
  }

  private static func text(_ part: ModelReport.Part) -> String {
    let total = max(part.parameterCount, 1)
    let types = part.elementTypes.map { type, count in
      count == total ? type.rawValue : "\(type.rawValue) (\(count * 100 / total) %)"
    }
    var sizes = part.sizes.filter { !$0.values.isEmpty }
      .map { "\($0.name) \($0.values.map(String.init).joined(separator: " "))" }
    sizes += part.modules.map { "\($0.count) \($0.name)" }
    if let alphas = part.alphas {
      let ends = [alphas.lowerBound, alphas.upperBound].map { "\($0)" }
      sizes.append("alpha \(ends[0] == ends[1] ? ends[0] : ends.joined(separator: " to "))")
    }
    return
      ([types.joined(separator: ", "), "\(part.parameterCount) parameters", "\(part.tensorCount) tensors"] + sizes)
      .filter { !$0.isEmpty }.joined(separator: "; ")
  }

  private static func text(_ encoder: ModelReport.Encoder) -> String {
    switch encoder {
    case .complete: "complete"
    case .none: "none: second passes with an image upscaler need the encoder of another VAE"
    case .unusable: "unusable: second passes with an image upscaler need the encoder of another VAE"
    }
  }

  // MARK: JSON

  /// One object for programs.
  var json: JSONValue {
    func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
    func list(_ isOfKind: (WeightAudit.Finding) -> Bool) -> JSONValue {
      .array(report.audit.findings.filter(isOfKind).map { .string($0.name) })
    }
    return [
      "path": .string(report.path),
      "kind": .string(report.kind.rawValue),
      "family": text(report.family),
      "family_remark": text(report.remarks.isEmpty ? nil : report.remarks.joined(separator: "; ")),
      "layout": text(report.layout),
      "container": text(report.container?.rawValue),
      "prediction": text(report.prediction),
      "prediction_source": text(report.predictionSource),
      "noise_schedule": text(report.noise),
      "default_vae": text(report.companionVAE),
      "usable": .bool(isUsable),
      "reason": text(report.refusal),
      "hashes": [
        "sha256": text(sha256), "model": text(modelHash), "old": text(oldHash), "lora": text(loraHash),
        "embedding": text(embeddingHash),
      ],
      "parameters": .integer(Int64(report.parts.reduce(0) { $0 + $1.parameterCount })),
      "networks": .array(report.parts.map(Self.json)),
      "missing": list { if case .missing = $0 { true } else { false } },
      "misshapen": list { if case .misshapen = $0 { true } else { false } },
      "mistyped": list { if case .elementType = $0 { true } else { false } },
      "unread": list { if case .unread = $0 { true } else { false } },
      "vae_encoder": text(report.encoder.map(Self.word)),
      "metadata": .object(report.metadata.sorted { $0.key < $1.key }.map { JSONMember($0.key, .string($0.value)) }),
    ]
  }

  private static func word(_ encoder: ModelReport.Encoder) -> String {
    switch encoder {
    case .complete: "complete"
    case .none: "none"
    case .unusable: "unusable"
    }
  }

  private static func json(_ part: ModelReport.Part) -> JSONValue {
    var members = [
      JSONMember("name", .string(part.name)),
      JSONMember("parameters", .integer(Int64(part.parameterCount))),
      JSONMember("tensors", .integer(Int64(part.tensorCount))),
      JSONMember(
        "precision", .object(part.elementTypes.map { JSONMember($0.type.rawValue, .integer(Int64($0.count))) })),
      JSONMember(
        "sizes",
        .object(
          part.sizes.map { name, values in
            JSONMember(
              name,
              values.count == 1 ? .integer(Int64(values[0])) : .array(values.map { .integer(Int64($0)) }))
          })),
    ]
    if !part.modules.isEmpty {
      members += [
        JSONMember("modules", .object(part.modules.map { JSONMember($0.name, .integer(Int64($0.count))) })),
        JSONMember(
          "alpha", part.alphas.map { [.number(Double($0.lowerBound)), .number(Double($0.upperBound))] } ?? .null),
      ]
    }
    return .object(members)
  }
}
