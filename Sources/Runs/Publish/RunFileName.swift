import Settings

/// The names of the files that runs write.
package enum RunFileName {
  /// The files that a run folder may contain directly, in addition to files of shards and further pages.
  private static let fixed: Set<String> = [
    "plan.jsonl", "seeds.json", "recipe.yaml", "manifest.json", "index.html", JournalFiles.main, "trace.tsv",
    "picks.json", "profile.tsv", "progress.json", "preview.png", "contact-sheet.png", "crashes.log", "responses.jsonl",
    "run.lock", "forgotten.jsonl", "notified.json",
  ]

  /// The folders in a run folder.
  static let folders: Set<String> = [
    "images", "thumbs", "checkpoints", "responses", "outbox", "upscaled", "restored", "slurm", "trash",
  ]

  /// Whether a file with this name may be directly in a run folder.
  static func isOfRun(_ name: String) -> Bool {
    if fixed.contains(name) || JournalFiles.start(of: name) != nil { return true }
    for (prefix, suffix) in [("trace-", ".tsv"), ("progress-", ".json"), ("crashes-", ".log")]
    where name.hasPrefix(prefix) && name.hasSuffix(suffix) {
      return Shard.labelled(name.dropFirst(prefix.count)) != nil
    }
    for prefix in ["contact-sheet-", "preview-"] where name.hasPrefix(prefix) && name.hasSuffix(".png") {
      return Int(name.dropFirst(prefix.count).dropLast(4)) != nil
    }
    return false
  }

  /// Whether a run folder may have a folder with this name in it.
  static func isFolderOfRun(_ name: String) -> Bool { folders.contains(name) }

  /// Whether a file with this name may be somewhere in a run folder: all files in `images/` and `thumbs/` are images, all files
  /// in `responses/` and `outbox/` are JSON documents.
  package static func isWritten(_ name: String) -> Bool {
    isOfRun(name) || RunFolder.hasImageEnding(name) || name.hasSuffix(".json") || name.hasSuffix(".checkpoint")
  }

  /// Whether an image may have this name: its number, its seed, and 8 or 64 digits of its identity.
  static func isImage(_ name: String) -> Bool { image(name) != nil }

  /// What the name of an image says; nil for other names.
  static func image(_ name: some StringProtocol) -> (seed: Int64, digits: String)? {
    let stem = RunFolder.stem(of: String(name))
    guard stem.utf8.count < name.utf8.count else { return nil }
    let parts = stem.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty,
      parts[0].utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
      let seed = Int64(parts[1]), [8, 64].contains(parts[2].utf8.count), parts[2].allSatisfy(\.isHexDigit)
    else { return nil }
    return (seed, String(parts[2]))
  }
}
