import Foundation
import Imaging
import JSON
import PageServer
import Runs
import Settings
import Sheets
import WebPage

/// One run, or several as one page, as the server of `open` shows them.
final class ServedRun: @unchecked Sendable {
  /// The runs: one, or several to compare.
  let folders: [RunFolder]
  private let watches: [RunWatch]
  private let starter: RunStarter
  private let lock = NSLock()
  /// The ids of each run's images, for the picks in a comparison.
  private var ids: [Set<String>] = []
  private var taken: [String: (path: String, name: String)] = [:]

  /// - Parameters:
  ///   - folders: The runs.
  ///   - starter: Starts runs.
  ///   - watch: Returns the watch of a folder, which several pages share.
  init(_ folders: [RunFolder], starter: RunStarter, watch: (RunFolder) -> RunWatch) {
    self.folders = folders
    self.starter = starter
    watches = folders.map(watch)
  }

  deinit { for file in taken.values { unlink(file.path) } }

  /// The name for people.
  static func name(_ folder: RunFolder) -> String { (folder.path as NSString).lastPathComponent }

  /// Answers a request.
  ///
  /// - Parameters:
  ///   - request: The request.
  ///   - path: The path below the page.
  /// - Returns: The answer.
  /// - Throws: `RunError`, or any other error.
  func answer(_ request: PageRequest, _ path: [String]) throws -> PageAnswer {
    if request.isPost { return try post(path, request.body) }
    switch path.count {
    case 1 where path[0].isEmpty: return try page()
    case 1 where path[0] == "events" && folders.count == 1:
      let version = request.query.split(separator: "=").last.flatMap { Int($0) } ?? 0
      return .events(watches[0].events(since: version))
    case 2 where path[0] == "taken": return take(path[1])
    default:
      return folders.count == 1 ? Self.file(path, of: folders[0], request) : .failure(404, "There is no such page.")
    }
  }

  /// An image of a run, or another of its files that pages show.
  static func file(_ path: [String], of folder: RunFolder, _ request: PageRequest) -> PageAnswer {
    let name = path.last ?? ""
    let isShown =
      switch path.count {
      case 1: name == "preview.png" || name.hasPrefix("contact-sheet") || name.hasPrefix("picks-sheet")
      default: ["images", "thumbs"].contains(path.first)
      }
    let types = [".png": PictureFormat.png, ".jpg": .jpeg, ".webp": .webp]
    let isInside = path.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") && !$0.contains("/") && !$0.contains("\0") }
    guard isShown, isInside, let type = types.first(where: { name.hasSuffix($0.key) })?.value.mediaType,
      let file = OpenFile(folder.file(path.joined(separator: "/")))
    else { return .failure(404, "There is no such image.") }
    var answer = PageAnswer(type: type, body: .file(file))
    answer.tag = "\"\(file.size)-\(file.modified)\""
    answer.isLasting = path.count > 1
    if let tag = answer.tag, request.tag == tag {
      answer.status = 304
      answer.body = .bytes([])
    }
    return answer
  }

  // MARK: The page

  private func page() throws -> PageAnswer {
    var bytes: [UInt8] = []
    if folders.count == 1 {
      let version = watches[0].version()
      let layout = SheetOptions()
      try RunPageFiles(folder: folders[0]).write(
        layout, isRunning: RunActivity(folders[0]).isRunning, served: RunPage.Served(version: version, canRun: true),
        patience: .seconds(1)
      ) { bytes += $0 }
      return .page(bytes)
    }
    let comparison = try RunComparison(folders)
    lock.withLock { ids = comparison.ids }
    try comparison.page.write(comparison.cells) { bytes += $0 }
    return .page(bytes)
  }

  // MARK: Changes

  private func post(_ path: [String], _ body: [UInt8]) throws -> PageAnswer {
    guard path.count == 1 else { return .failure(404, "There is no such page.") }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: String(decoding: body, as: UTF8.self))
    } catch {
      return .failure(400, "The request is not JSON: \(error)")
    }
    switch path[0] {
    case "picks": return try keep(json)
    case "take": return try prepare(json)
    case "stop" where folders.count == 1: return stop()
    case "continue" where folders.count == 1: return proceed()
    case "like" where folders.count == 1: return try begin(json)
    default: return .failure(404, "There is no such page.")
    }
  }

  private func keep(_ json: JSONValue) throws -> PageAnswer {
    let changes: Picks
    do {
      changes = try Picks(json)
    } catch let error as PicksError {
      return .failure(400, error.description)
    }
    let ids = lock.withLock { self.ids }
    for (number, folder) in folders.enumerated() {
      let own =
        folders.count == 1 ? changes.byID : changes.byID.filter { number < ids.count && ids[number].contains($0.key) }
      if !own.isEmpty { try Picks.add(Picks(own), to: folder) }
    }
    return .json("{}")
  }

  private func stop() -> PageAnswer {
    let processes = RunActivity(folders[0]).processes.compactMap { RunProcess($0) }
    guard !processes.isEmpty else { return .failure(409, "The run is not on this machine, or has ended.") }
    for process in processes where !process.stop() { return .failure(409, "The run belongs to another user.") }
    watches[0].noteStop()
    return .json("{}")
  }

  /// Runs the same command again, or the run folder if the command is not known.
  private func proceed() -> PageAnswer {
    guard !RunActivity(folders[0]).isRunning else { return .failure(409, "The run is in progress.") }
    let known = watches[0].process
    let waits = starter.start(
      known.map { Array($0.command.dropFirst()) } ?? ["run", folders[0].path, "--summary"],
      in: known?.folder ?? FileManager.default.currentDirectoryPath)
    return .json("{\"waits\":\(waits)}")
  }

  /// Runs a recipe in a new folder next to this one.
  private func begin(_ json: JSONValue) throws -> PageAnswer {
    guard let recipe = json["recipe"]?.text, let id = json["id"]?.text, id.count >= 8, id.allSatisfy(\.isHexDigit)
    else {
      return .failure(400, "found no recipe")
    }
    let parent = (folders[0].path as NSString).deletingLastPathComponent
    let base = "\(Self.name(folders[0]))-like-\(id.prefix(8))"
    var name = base
    var number = 2
    while access("\(parent)/\(name)", F_OK) == 0 || access("\(parent)/\(name).yaml", F_OK) == 0 {
      name = "\(base)-\(number)"
      number += 1
    }
    DerivedFile.removeLeftovers(of: ["\(parent)/\(name).yaml"])
    try DerivedFile.write(to: "\(parent)/\(name).yaml", on: Disk(isShared: true)) { sink in try sink(Array(recipe.utf8))
    }
    let waits = starter.start(
      ["run", "\(parent)/\(name).yaml", "--output", "\(parent)/\(name)", "--summary"],
      in: watches[0].process?.folder ?? FileManager.default.currentDirectoryPath)
    return .json(JSONValue.object([JSONMember("name", .string(name)), JSONMember("waits", .bool(waits))]).jsonText)
  }

  // MARK: Taking away

  /// Makes a file of images: `{ "kind": "zip", "cells": [0, 1], "picks": true }`.
  ///
  /// A sheet and an animation have the page's `x`, `y`, `super_x` and `super_y`, the names of axes; an animation has `form`,
  /// `milliseconds`, and `frames`, the axis along which it goes.
  private func prepare(_ json: JSONValue) throws -> PageAnswer {
    guard let kind = json["kind"]?.text.flatMap({ TakeAway.Kind(rawValue: $0) }), let numbers = json["cells"]?.elements
    else {
      return .failure(400, "found no kind or no cells")
    }
    let all: [RunComparison.Cell]
    let groups: [[String]]
    if folders.count == 1 {
      let run = try RunImages(folders[0])
      let files = RunPageFiles(folder: folders[0])
      all = run.entries.map { RunComparison.Cell(page: files.cell($0, []), path: $0.path) }
      groups = run.zipGroups
    } else {
      let comparison = try RunComparison(folders)
      (all, groups) = (comparison.all, [])
    }
    var picks = Picks()
    for folder in folders { picks.byID.merge(try Picks(of: folder).byID) { $1 } }
    var indices = numbers.compactMap(\.integerValue).map { Int($0) }
    // What is laid out along axes has their values in the recipe's order, whatever the order of the page is.
    if kind == .sheet || json["frames"] != nil { indices.sort() }
    let images = indices.compactMap { index -> TakeAway.Image? in
      guard all.indices.contains(index), let path = all[index].path else { return nil }
      let cell = all[index].page
      return TakeAway.Image(cell: cell, path: path, pick: picks[cell.id])
    }
    let title = folders.count == 1 ? Self.name(folders[0]) : "comparison"
    do {
      var take = TakeAway(title: title, images: images, groups: groups)
      take.layout = Self.layout(json)
      if let form = json["form"]?.text.flatMap({ AnimationFile.Form(rawValue: $0) }) { take.animation.form = form }
      if let time = json["milliseconds"]?.integerValue { take.animation.milliseconds = min(60_000, max(20, Int(time))) }
      let made = try take.make(kind, writesPicks: json["picks"] == true)
      let key = PageServer.newToken()
      lock.withLock { taken[key] = made }
      return .json("{\"file\":\"taken/\(key)\"}")
    } catch let error as TakeAwayError {
      return .failure(409, error.description)
    } catch let error as AnimationError {
      return .failure(409, error.description)
    } catch let error as SheetError {
      return .failure(409, "\(error)")
    }
  }

  private static func layout(_ json: JSONValue) -> SheetOptions {
    var layout = SheetOptions()
    layout.x = json["x"]?.text
    layout.y = json["y"]?.text
    layout.superX = json["super_x"]?.text
    layout.superY = json["super_y"]?.text
    layout.frames = json["frames"]?.text
    return layout
  }

  private func take(_ key: String) -> PageAnswer {
    guard let made = lock.withLock({ taken.removeValue(forKey: key) }),
      let file = OpenFile(made.path, isTemporary: true)
    else {
      return .failure(404, "This file was saved already.")
    }
    var answer = PageAnswer(type: "application/octet-stream", body: .file(file))
    answer.download = made.name
    return answer
  }
}
