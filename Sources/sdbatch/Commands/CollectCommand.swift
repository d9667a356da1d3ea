import ArgumentParser
import Runs
import Sheets

/// `sdbatch collect DIR`
struct CollectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collect",
    abstract: "Combine the work of a run's shards: write the manifest and the contact sheet.",
    discussion: """
      Exit codes: 0 all images exist; 3 some jobs failed; 10 not a run folder; 11 another process is using the folder; 74 output \
      could not be written; 75 images are missing: run their shards again. It makes no images, and you can use it while \
      shards are running.
      """)

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Flag(help: "Make no contact sheet.")
  var noSheet = false

  @Option(help: ArgumentHelp("Wait up to this long if another process is using the folder.", valueName: "time"))
  var lockWait: TimeSpan?

  func run() throws {
    let folder = RunFolder(folder)
    let lock = try RunLock(existing: folder, patience: lockWait?.duration ?? .zero)
    let counts = try Collector.collect(lock)
    Console.output(
      "\(folder.path): \(counts.done) of \(counts.total) done, \(counts.failed) failed, \(counts.pending) to do")
    if !noSheet {
      do {
        _ = try ContactSheetFiles(folder: folder).refresh()
      } catch let error as SheetError {
        Console.error("no contact sheet: \(error)")
      }
    }
    if counts.pending > 0 { throw ExitStatus.stopped }
    if counts.failed > 0 { throw ExitStatus.someJobsFailed }
  }
}
