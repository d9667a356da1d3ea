/// The program that wrote an infotext, as far as the text shows it.
///
/// Many programs write the webui's form. `Version` holds the webui's own version, and in most others the program's name.
struct InfotextProgram {
  /// The name for messages, such as `webui v1.10.1`; nil if the text does not show it.
  let name: String?
  /// Whether it makes the same images as the webui: the webui, its forks, and this program.
  let isWebui: Bool
  /// Whether it is this program.
  let isOurs: Bool
  /// The webui's version, if the webui itself wrote the text.
  let version: WebuiVersion?

  /// Finds the program that wrote these settings.
  init(_ infotext: ParsedInfotext) {
    func value(_ key: String) -> String? { infotext.value(of: key).flatMap { $0.isEmpty ? nil : $0 } }
    let version = value("Version")
    if let generator = value("Generator") {
      self.init(generator, isOurs: generator.hasPrefix("sdbatch "))
    } else if let app = Self.nameKeys.lazy.compactMap(value).first {
      self.init(version.map { $0.contains(app) ? $0 : "\(app) \($0)" } ?? app)
    } else if let (name, text) = Self.versionKeys.lazy.compactMap({ pair in value(pair.key).map { (pair.name, $0) } })
      .first
    {
      self.init("\(name) \(text)")
    } else if let version {
      self.init(version: version)
    } else {
      let name = Self.marks.first { mark in infotext.items.contains { $0.key.hasPrefix(mark.key) } }?.name
      // The webui's first versions did not write their version.
      self.init(name, isWebui: name == nil)
    }
  }

  private init(_ name: String?, isWebui: Bool = false, isOurs: Bool = false, version: WebuiVersion? = nil) {
    self.name = name
    self.isWebui = isWebui || isOurs
    self.isOurs = isOurs
    self.version = version
  }

  /// Finds the program from `Version` alone.
  private init(version: String) {
    if version.prefixMatch(of: #/v?\d+\.\d+/#) != nil {
      self.init("webui \(version)", isWebui: true, version: WebuiVersion(version))
    } else if version.prefixMatch(of: #/f1\.\d+\.\d+v/#) != nil {
      self.init("reForge \(version)", isWebui: true)
    } else if version.prefixMatch(of: #/f\d+\.\d+\.\d+v/#) != nil {
      self.init("Forge \(version)", isWebui: true)
    } else if let fork = Self.forks[version.lowercased()] {
      self.init(fork, isWebui: true)
    } else if version.wholeMatch(of: #/[0-9a-f]{7,40}/#) != nil {
      // SD.Next writes the name of its commit.
      self.init("SD.Next \(version)")
    } else {
      self.init(version)
    }
  }

  /// Keys that hold a program's name.
  private static let nameKeys = ["App", "Software", "Program", "Application"]
  /// Keys that hold the version of one program.
  private static let versionKeys = [
    (key: "swarm_version", name: "SwarmUI"), (key: "invokeai_version", name: "InvokeAI"),
  ]
  /// What forks of the webui write as their version.
  private static let forks = ["neo": "Forge Neo", "classic": "Forge Classic"]
  /// Keys that only one program writes.
  private static let marks = [
    (key: "Fooocus", name: "Fooocus"), (key: "Metadata Scheme", name: "Fooocus"), (key: "Backend", name: "SD.Next"),
    (key: "ComfyUI", name: "ComfyUI"),
  ]
}
