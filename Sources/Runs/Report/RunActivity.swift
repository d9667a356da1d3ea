import Foundation

/// What processes are doing in a run folder at this moment, from small files; cheap enough to ask several times a second.
public struct RunActivity: Hashable, Sendable {
  /// The host, process and start of the run that holds the folder; nil if none does.
  public var holder: String?
  /// The images at work: one, or one for each shard with news.
  public var images: [CurrentImage]

  /// Whether a run or a shard is at work.
  public var isRunning: Bool { holder != nil || !images.isEmpty }

  /// Looks into a run folder.
  ///
  /// - Parameter folder: A run folder, which may be missing.
  public init(_ folder: RunFolder) {
    holder = RunLock.holder(of: folder)
    images = []
    if let holder, let image = ProgressFile.read(folder, holder: holder) { images.append(image) }
    for name in (try? AtomicFile.names(in: folder.path)) ?? [] where name.hasPrefix("progress-") {
      guard let (shard, _) = Shard.labelled(name.dropFirst("progress-".count)) else { continue }
      if let image = ProgressFile.read(folder, shard: shard) { images.append(image) }
    }
    images.sort { $0.index < $1.index }
  }

  /// The processes at work, if they are on this machine.
  public var processes: [Int32] {
    if let holder {
      // "host NAME, pid 12, started ...": a process of another machine cannot be reached.
      guard holder.hasPrefix("host \(ProcessInfo.processInfo.hostName), "),
        let number = holder.firstMatch(of: #/, pid ([0-9]+),/#).flatMap({ Int32($0.1) })
      else { return [] }
      return [number]
    }
    return images.map(\.process)
  }
}
