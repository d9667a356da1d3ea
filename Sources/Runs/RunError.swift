import Foundation

/// Why a run could not start or continue, or a run folder could not be read.
public enum RunError: Error, Hashable, CustomStringConvertible {
  /// Another process is using the run folder; `owner` is the text that it wrote into the lock.
  case folderInUse(path: String, owner: String)
  /// The system refused to write; `code` is an `errno`.
  case notWritten(path: String, action: Disk.Action, code: Int32)
  /// The system refused to read; `code` is an `errno`.
  case notRead(path: String, code: Int32)
  /// A file of the run folder has contents that this program does not write.
  case damaged(path: String, problem: String)
  /// The run folder was removed or replaced during the run.
  case folderLost(path: String)
  /// The folder is not a run folder, but has files or folders with names that a run writes.
  case notOfRun(path: String, names: [String])
  /// There is a folder where a run has a file, or a file where it has a folder.
  case obstructed(path: String, isFolder: Bool)
  /// The folder is not a run folder.
  case noRun(path: String)
  /// A shard was started with another plan than the folder's.
  case otherPlan(path: String, problem: String)
  /// The run would make images again that exist but were made with another instruction set or precision.
  case otherImages(path: String, problem: String)
  /// No job of a run matches this name, or several do.
  case noJob(name: String, problem: String)
  /// The generator made an image of the wrong size.
  case wrongSize(found: String, expected: String)

  /// What happened, where, and what to do.
  public var description: String {
    switch self {
    case .folderInUse(let path, let owner):
      "another run is using \(path)\(owner.isEmpty ? "" : " (\(owner))"): wait for it, or choose another output folder"
    case .notWritten(let path, let action, let code): "cannot \(action.rawValue) \(path): \(Self.text(code))"
    case .notRead(let path, let code): "cannot read \(path): \(Self.text(code))"
    case .damaged(let path, let problem): "\(path) is damaged: \(problem)"
    case .folderLost(let path):
      "\(path) was removed or replaced during the run; the new contents were not changed: start the run again"
    case .notOfRun(let path, let names):
      """
      \(names.map { "\(path)/\($0)" }.joined(separator: ", ")): found in an output folder that is not a run folder, where a run \
      would overwrite such names; nothing was changed: choose another output folder, or move them away
      """
    case .obstructed(let path, let isFolder):
      "\(path) is a \(isFolder ? "folder" : "file"), where a run has a \(isFolder ? "file" : "folder"): move it away"
    case .noRun(let path): "\(path) is not a run folder (it has no plan.jsonl)"
    case .otherPlan(let path, let problem):
      """
      \(path) has another plan, and the first one counts for all shards: \(problem); choose another output folder, or, \
      if no shard is running, write this plan there with sdbatch plan --freeze
      """
    case .otherImages(let path, let problem):
      """
      \(path): \(problem), so they would be made again; nothing was changed: --accept-isa keeps them as they are, --remake \
      makes them again, SDBATCH_ISA and precision choose what computes
      """
    case .noJob(let name, let problem): "\(name): \(problem)"
    case .wrongSize(let found, let expected): "the image is \(found), expected \(expected)"
    }
  }

  private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
