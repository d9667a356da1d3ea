import Foundation
import JSON
import Runs

/// Finds what is wrong with the answers of a run folder and with the announcements in its outbox.
public enum ResponseExamination {
  /// Reads all of them.
  ///
  /// - Parameter folder: The run, in which nothing is at work.
  /// - Returns: What is wrong, by the files' names.
  public static func findings(in folder: RunFolder) -> [Finding] { answers(in: folder) + announcements(in: folder) }

  private static func answers(in folder: RunFolder) -> [Finding] {
    let bytes = (try? FileReader.bytes(of: folder.responseRecord)) ?? []
    let documents = ResponseRecord.read(bytes[...]).documents
    return names(in: folder.responses).compactMap { name in
      let path = "\(folder.responses)/\(name)"
      let problem: String
      do {
        if let noted = documents[String(name.dropLast(5))] {
          if try noted.mark.size == FileMark(path: path).size, try FileReader.sha256(of: path) == noted.sha256 {
            return nil
          }
          problem = "has other bytes than were written"
        } else {
          let document = try JSONValue(parsing: String(decoding: FileReader.bytes(of: path), as: UTF8.self))
          if document["id"] != nil, document["status"]?.text.flatMap(ResponseStatus.init) != nil { return nil }
          problem = "is not a response"
        }
      } catch let error as JSONError {
        problem = "is not JSON (\(error))"
      } catch {
        problem = "cannot be read: \(error)"
      }
      return Finding(
        kind: .response, file: folder.name(of: path), problem: problem,
        remedy: "--repair removes it, and the next run of its request answers again")
    }
  }

  private static func announcements(in folder: RunFolder) -> [Finding] {
    names(in: folder.outbox).compactMap { name in
      let path = "\(folder.outbox)/\(name)"
      if Outbox.read(path) != nil { return nil }
      return Finding(
        kind: .announcement, file: folder.name(of: path), problem: "is not an announcement",
        remedy: "the next run that has its request announces the response again; else remove the file")
    }
  }

  /// The documents in a folder, in order; folders in their place are obstacles.
  private static func names(in folder: String) -> [String] {
    let folders = Set(AtomicFile.folders(in: folder))
    return ((try? AtomicFile.names(in: folder)) ?? []).filter {
      $0.hasSuffix(".json") && !$0.hasPrefix(".") && !folders.contains($0)
    }.sorted()
  }
}
