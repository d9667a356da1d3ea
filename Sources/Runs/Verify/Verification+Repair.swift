import Foundation
import Settings

/// Repairs of a run folder.
extension Verification {
  /// Lets the next run make damaged images again, removes leftovers, and rewrites the manifest.
  ///
  /// A damaged file is removed, and a line of the journal puts its job back into the queue. Orphans stay because their job is
  /// unknown. A damaged plan stays too: the next run replaces it.
  ///
  /// - Parameters:
  ///   - lock: The folder's lock.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  public mutating func repair(_ lock: RunLock, on disk: Disk = Disk()) throws {
    if findings.isEmpty { return }
    for (journal, lines) in uselessLines { try rewrite(journal, without: lines, on: disk) }
    // Cuts off a torn line.
    let journal = try Journal(run, on: disk)
    // A file that two images claim may belong to the other one.
    let firstJobs = firstJobs
    let soundFiles = Set(index.images.filter { firstJobs[$0.key]?.isSound == true }.values.map(\.file))
    for number in findings.indices {
      let finding = findings[number]
      switch finding.kind {
      case .missing, .size, .digest, .undecodable, .pixels, .infotext, .unreadable, .identity, .otherJob:
        guard let index = finding.index, let id = finding.id.flatMap({ JobID($0) }) else { continue }
        // If the line is wrong, the file may be the image of another job, which the next run finds.
        let isOfFile = finding.kind != .identity && finding.kind != .otherJob
        if isOfFile, !soundFiles.contains(finding.file) { try disk.remove(run.file(finding.file)) }
        try journal.append(
          .requeued(RequeuedJob(id: id, index: index, started: .now(), reason: finding.problem)), isDurable: false)
        findings[number].remedy = "its job will run again"
      case .leftover, .derived:
        try disk.remove(run.file(finding.file))
        findings[number].remedy = "removed"
      case .tornLine: findings[number].remedy = "cut off"
      case .damagedLine: findings[number].remedy = "removed"
      case .duplicate:
        guard finding.id == nil else { continue }
        findings[number].remedy = "removed"
      case .manifest: findings[number].remedy = "rewritten"
      case .orphan, .plan, .obstacle: continue
      }
      findings[number].isRepaired = true
    }
    try journal.synchronise()
    guard !findings.contains(where: { $0.kind == .plan }) else { return }
    try Manifest.rewrite(in: run, journal: journal, on: disk) { id in
      journal.index.images[id] != nil ? .done : journal.index.failures[id] != nil ? .failed : .pending
    }
    var states = try JobStates(run)
    counts = try states.counts(of: journal)
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
    let asked = Set(index.images.filter { firstJobs[$0.key] != nil }.values.map(\.file))
    let files = unasked.filter { !asked.contains($0) }
    let stems = Set(files.map { ($0 as NSString).lastPathComponent }.map { ($0 as NSString).deletingPathExtension })
    let thumbnails = ((try? AtomicFile.names(in: run.thumbnails)) ?? []).filter {
      stems.contains(($0 as NSString).deletingPathExtension)
    }
    let deleted = files + thumbnails.sorted().map { "thumbs/\($0)" }
    for file in deleted { try disk.remove(run.file(file)) }
    if !files.isEmpty { try disk.synchroniseFolder(run.images) }
    for number in findings.indices where files.contains(findings[number].file) {
      findings[number].remedy = "deleted"
      findings[number].isRepaired = true
    }
    unasked.removeAll { files.contains($0) }
    return deleted
  }
}
