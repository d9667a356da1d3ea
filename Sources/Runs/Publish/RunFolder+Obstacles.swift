import Foundation

extension RunFolder {
  /// What would stop the next run for every recipe: a folder where a run has a file, a file where it has a folder, or seeds
  /// that cannot be read.
  ///
  /// `run`, `plan`, `status`, `why` and `verify` ask here, so they agree.
  ///
  /// - Returns: The reasons with their paths; a run stops with the first one.
  public func obstacles() -> [RunError] {
    var found = misplaced()
    do {
      let seeds = try SeedFile.read([String: Int64].self, from: self) ?? [:]
      if seeds.values.contains(where: { $0 < 0 }) { found.append(SeedFile.damage(self)) }
    } catch let error as RunError {
      // If there is a folder instead of the file, that is reported already.
      if case .damaged = error { found.append(error) }
    } catch {
      found.append(SeedFile.damage(self))
    }
    return found
  }

  /// Checks that a run's file and folder names are free of entries of the wrong kind.
  ///
  /// - Throws: `RunError.obstructed`.
  func checkIsClear() throws { if let error = misplaced().first { throw error } }

  /// The folders where a run has files, and the files where it has folders.
  private func misplaced() -> [RunError] {
    func folders(in path: String, _ isFile: (String) -> Bool) -> [RunError] {
      AtomicFile.folders(in: path).filter(isFile).sorted().map { .obstructed(path: "\(path)/\($0)", isFolder: true) }
    }
    var found = folders(in: path, RunFileName.isOfRun)
    for folder in [images, thumbnails, checkpoints, responses, outbox] {
      var status = stat()
      if stat(folder, &status) == 0, status.st_mode & S_IFMT != S_IFDIR {
        found.append(.obstructed(path: folder, isFolder: false))
      } else {
        found += folders(in: folder) { RunFileName.isWritten($0) && !$0.hasPrefix(".") }
      }
    }
    return found
  }
}
