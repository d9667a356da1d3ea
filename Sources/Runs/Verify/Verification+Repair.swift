import Foundation
import Settings

/// Repairs of a run folder.
extension Verification {
  /// Makes the next run make damaged images again, removes leftovers, and rewrites the manifest.
  ///
  /// A damaged file is removed, and a journal line puts its job back into the queue. Orphans stay because their job is unknown.
  /// A damaged plan also stays: the next run replaces it.
  ///
  /// - Parameters:
  ///   - lock: The folder's lock.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  public mutating func repair(_ lock: RunLock, on disk: Disk = Disk()) throws {
    if findings.isEmpty { return }
    for (journal, lines) in uselessLines { try rewrite(journal, without: lines, on: disk) }
    // Removes an incomplete line.
    let journal = try Journal(run, on: disk)
    // If two images claim a file, it may belong to the other one.
    let firstJobs = firstJobs
    let soundFiles = Set(index.images.filter { firstJobs[$0.key]?.isSound == true }.values.flatMap(\.files.names))
    for number in findings.indices {
      let finding = findings[number]
      switch finding.kind {
      case .missing, .size, .digest, .undecodable, .pixels, .infotext, .unreadable, .identity, .otherJob:
        guard let index = finding.index, let id = finding.id.flatMap({ JobID($0) }) else { continue }
        if let source = soundSource(for: finding, id) {
          try disk.remove(run.file(finding.file))
          findings[number].remedy = "the next run makes it of \(source)"
          findings[number].isRepaired = true
          continue
        }
        // If the line is wrong, the file may be the image of another job; the next run finds that out.
        let isOfFile = finding.kind != .identity && finding.kind != .otherJob
        if isOfFile, !soundFiles.contains(finding.file) { try disk.remove(run.file(finding.file)) }
        try journal.append(
          .requeued(RequeuedJob(id: id, index: index, started: .now(), reason: finding.problem)), isDurable: false)
        findings[number].remedy = "its job will run again"
      case .recipe:
        guard let recipeReplacement else { continue }
        try AtomicFile.write(Array(recipeReplacement.utf8), to: run.recipe, on: disk)
        findings[number].remedy = "written again from the plan"
      case .response:
        try disk.remove(run.file(finding.file))
        findings[number].remedy = "removed: the next run of its request answers again"
      case .leftover, .derived:
        try disk.remove(run.file(finding.file))
        findings[number].remedy = "removed"
      case .tornLine: findings[number].remedy = "cut off"
      case .damagedLine: findings[number].remedy = "removed"
      case .duplicate:
        guard finding.id == nil else { continue }
        findings[number].remedy = "removed"
      case .manifest: findings[number].remedy = "rewritten"
      case .deleted, .orphan, .plan, .picks, .announcement, .obstacle: continue
      }
      findings[number].isRepaired = true
    }
    try journal.synchronise()
    guard !findings.contains(where: { $0.kind == .plan }) else { return }
    var states = try JobStates(run)
    try Manifest.rewrite(in: run, journal: journal, on: disk) { planned in
      try states.find(planned.id, as: planned.job.settings.encodings, in: journal).0
    }
    counts = try states.counts(of: journal)
  }

  /// The undamaged file from which a damaged file of the same image can be made; nil if there is none.
  private func soundSource(for finding: Finding, _ id: JobID) -> String? {
    let damaged = Set(findings.lazy.filter { $0.isOfImage && $0.id == finding.id }.map(\.file))
    guard finding.kind != .identity, finding.kind != .otherJob, let image = index.images[id] else { return nil }
    let files = [(image.file, image.encoding)] + image.others.map { ($0.file, $0.encoding) }
    return files.first { $0.1.isLossless && !damaged.contains($0.0) && access(run.file($0.0), F_OK) == 0 }?.0
  }

  /// Replaces a journal by its useful lines.
  private func rewrite(_ journal: String, without useless: Set<Int>, on disk: Disk) throws {
    try AtomicFile.write(to: run.file(journal), on: disk) { file in
      var number = 0
      var kept: [UInt8] = []
      try FileReader.forEachLine(of: run.file(journal)) { _, line, isWhole in
        defer { number += 1 }
        guard isWhole, !useless.contains(number) else { return }
        kept += line
        kept.append(UInt8(ascii: "\n"))
        if kept.count > 1 << 20 {
          try file.write(kept)
          kept.removeAll(keepingCapacity: true)
        }
      }
      try file.write(kept)
    }
  }

  /// Deletes the images that the plan no longer asks for, and their thumbnails.
  ///
  /// - Parameters:
  ///   - lock: The folder's lock.
  ///   - disk: The disk.
  /// - Returns: What was deleted, relative to the run folder.
  /// - Throws: `RunError`.
  public mutating func prune(_ lock: RunLock, on disk: Disk = Disk()) throws -> [String] {
    if findings.contains(where: { $0.kind == .plan }) {
      throw RunError.damaged(
        path: run.plan, problem: "its jobs cannot be read; run the recipe again to rewrite it")
    }
    let firstJobs = firstJobs
    // An image that is not asked for may have a file that another image claims.
    var claims: [String: Int] = [:]
    for image in self.index.images.values { for name in image.files.names { claims[name, default: 0] += 1 } }
    let planned = Set(self.index.images.filter { firstJobs[$0.key] != nil }.values.flatMap(\.files.names))
    let files = unasked.filter { claims[$0, default: 0] < 2 || !planned.contains($0) }
    // The thumbnail of an image stays as long as one of its files exists. Older thumbnails may have another extension.
    func stem(_ image: String) -> String { String(RunFolder.stem(of: image).dropFirst("images/".count)) }
    let removed = Set(files.map(stem)).subtracting(planned.subtracting(files).map(stem))
    let thumbnails = RunFolder.folders(in: run.thumbnails).flatMap { folder in
      ((try? AtomicFile.names(in: "\(run.thumbnails)/\(folder)")) ?? []).map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
    }.filter { removed.contains(($0 as NSString).deletingPathExtension) }.map { "thumbs/\($0)" }
    let latents = try CheckpointFolder(folder: run, disk: disk).removeFinished(Set(self.index.images.keys))
    let deleted = files + latents + thumbnails.sorted()
    for file in files + thumbnails.sorted() { try disk.remove(run.file(file)) }
    for folder in Set(files.map { (run.file($0) as NSString).deletingLastPathComponent }).sorted() {
      try disk.synchroniseFolder(folder)
    }
    for number in findings.indices where files.contains(findings[number].file) {
      findings[number].remedy = "deleted"
      findings[number].isRepaired = true
    }
    unasked.removeAll { files.contains($0) }
    return deleted
  }
}
