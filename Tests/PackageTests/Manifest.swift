import Foundation
import TestSupport

/// What `Package.swift` declares, as SwiftPM itself reads it.
struct Manifest: Decodable {
  struct Dependency: Decodable {
    struct SourceControl: Decodable {
      struct Requirement: Decodable {
        /// The only allowed version; nil if there are others.
        let exact: [String]?
      }

      let identity: String
      let requirement: Requirement
    }

    let sourceControl: [SourceControl]?
  }

  struct Target: Decodable {
    /// A module that the target names.
    struct Dependency: Decodable {
      let byName: [String?]?
      let product: [Unread?]?

      var module: String? { byName?.first ?? product?.first??.name }
    }

    /// A part of a product's description: its first one is the name, others are not read.
    struct Unread: Decodable {
      let name: String?

      init(from decoder: any Decoder) throws {
        name = try? decoder.singleValueContainer().decode(String.self)
      }
    }

    let name: String
    let type: String
    let path: String?
    let dependencies: [Dependency]

    var isTest: Bool { type == "test" }

    /// The modules that the target may import.
    var modules: Set<String> { Set(dependencies.compactMap(\.module)) }

    /// The folder of its sources, from the package's root.
    var folder: String { path ?? (isTest ? "Tests/" : "Sources/") + name }
  }

  enum Problem: Error {
    case swift(String)
  }

  let dependencies: [Dependency]
  let targets: [Target]

  /// The root of the package.
  static let root = URL(fileURLWithPath: Fixtures.path("../..")).standardizedFileURL.path

  /// Reads the manifest.
  ///
  /// SwiftPM reads a copy in a separate folder, because the package's build folder is locked while tests run.
  static func read() throws -> Manifest {
    let folder = try TemporaryFolder()
    try folder.write("Package.swift", String(contentsOfFile: root + "/Package.swift", encoding: .utf8))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["swift", "package", "--package-path", folder.path, "dump-package"]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let json = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Problem.swift(String(decoding: json, as: UTF8.self)) }
    return try JSONDecoder().decode(Manifest.self, from: json)
  }
}

/// The versions that SwiftPM chose for all packages of the graph, from `Package.resolved`.
struct ResolvedPackages: Decodable {
  struct Pin: Decodable {
    struct State: Decodable { let version: String? }

    let identity: String
    let state: State
  }

  let pins: [Pin]

  static func read() throws -> ResolvedPackages {
    let path = Manifest.root + "/Package.resolved"
    return try JSONDecoder().decode(ResolvedPackages.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }
}
