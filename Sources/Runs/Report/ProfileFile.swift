/// `profile.tsv`: how a run used its time, for people and spreadsheets.
public enum ProfileFile {
  /// Replaces the table of an earlier run.
  ///
  /// - Parameters:
  ///   - rows: The names of the columns, then the lines; no field contains a tab or a line end.
  ///   - folder: The run folder; the caller holds its lock.
  ///   - disk: The disk.
  /// - Throws: `RunError.notWritten`.
  public static func write(_ rows: [[String]], to folder: RunFolder, on disk: Disk = Disk()) throws {
    let text = rows.map { $0.joined(separator: "\t") + "\n" }.joined()
    try AtomicFile.write(Array(text.utf8), to: folder.profile, on: disk)
  }
}
