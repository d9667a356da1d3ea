import Foundation

/// What processes do in a run folder at this moment. It is read from small files, so it can be asked several times a second.
public struct RunActivity: Hashable, Sendable {
  /// The host, process and start of the run that has the folder; nil if there is none.
  public var holder: String?
  /// The images that are being made: one, or one for each shard with recent news.
  public var images: [CurrentImage]

  /// Whether a run or a shard is working.
  public var isRunning: Bool { holder != nil || !images.isEmpty }

  /// Reads a run folder.
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

  /// The processes that are working, if they are on this machine.
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
