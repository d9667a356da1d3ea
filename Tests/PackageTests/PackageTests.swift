import Foundation
import Testing

/// Rules of `Package.swift` that the compiler does not check.
@Suite struct PackageTests {
  @Test func `every package of the graph is pinned to one version`() throws {
    let manifest = try Manifest.read()
    var exact: [String: String] = [:]
    for package in manifest.dependencies.flatMap({ $0.sourceControl ?? [] }) {
      exact[package.identity] = try #require(package.requirement.exact?.first, "\(package.identity) is not pinned")
    }
    let pins = try ResolvedPackages.read().pins
    #expect(!pins.isEmpty)
    for pin in pins {
      #expect(exact[pin.identity] == pin.state.version, "\(pin.identity) \(pin.state.version ?? "?")")
    }
  }

  @Test func `the dependencies of a target are the modules that it imports`() throws {
    let manifest = try Manifest.read()
    let executables = Set(manifest.targets.filter { $0.type == "executable" }.map(\.name))
    let modules = manifest.targets.reduce(into: Set<String>()) { $0.formUnion($1.modules.union([$1.name])) }
    for target in manifest.targets where !["system", "plugin"].contains(target.type) {
      let imports = try Self.imports(under: "\(Manifest.root)/\(target.folder)").intersection(modules)
      // Tests start a program instead of importing it.
      let declared = target.isTest ? target.modules.subtracting(executables) : target.modules
      #expect(imports.subtracting(declared) == [], "\(target.name) does not declare these")
      #expect(declared.subtracting(imports) == [], "\(target.name) does not import these")
    }
  }

  @Test func `targets are listed lowest first`() throws {
    let manifest = try Manifest.read()
    let all = Set(manifest.targets.map(\.name))
    var listed: Set<String> = []
    for target in manifest.targets {
      let above = target.modules.intersection(all).subtracting(listed)
      #expect(above == [], "\(target.name) is listed before these, which it depends on")
      listed.insert(target.name)
    }
  }

  @Test func `tests alone import what supports them`() throws {
    let manifest = try Manifest.read()
    let support = Set(manifest.targets.filter { !$0.isTest && $0.folder.hasPrefix("Tests/") }.map(\.name))
    #expect(!support.isEmpty)
    for target in manifest.targets where target.folder.hasPrefix("Sources/") {
      #expect(target.modules.isDisjoint(with: support), "\(target.name)")
    }
  }

  /// The modules that Swift files import.
  private static func imports(under folder: String) throws -> Set<String> {
    // Attributes, access level, the kind of a declaration that is imported separately, and the module.
    let line = /^(?:@\w+\s+)*(?:\w+\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
    var modules: Set<String> = []
    for file in try FileManager.default.subpathsOfDirectory(atPath: folder) where file.hasSuffix(".swift") {
      let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
      for match in text.split(separator: "\n").compactMap({ $0.prefixMatch(of: line) }) {
        modules.insert(String(match.1))
      }
    }
    return modules
  }
}
