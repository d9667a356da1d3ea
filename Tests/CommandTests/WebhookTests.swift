import Foundation
import JSON
import Testing
import TestSupport

/// Webhooks with the program and a real server.
@Suite struct WebhookTests {
  /// Attempts without pauses.
  static let quick = ["SDBATCH_WEBHOOK_INTERVAL": "0"]

  static func envelope(
    _ id: String, _ url: String, seed: Int = 1, steps: Int = 2, _ around: String = ""
  ) -> String {
    RequestTests.envelope(
      #", "seed": \#(seed), "n_iter": 2"#, #""id": "\#(id)", "webhook": "\#(url)", \#(around)"#
    ).replacingOccurrences(of: #""steps": 2"#, with: "\"steps\": \(steps)")
  }

  private static func waiting(_ space: Workspace, in run: String = "Output/request") -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(space.path)/\(run)/outbox")) ?? []).sorted()
  }

  /// The documents that the server accepted, in order.
  private static func documents(_ receiver: Receiver) throws -> [JSONValue] {
    try receiver.accepted.map { try JSONValue(parsing: String(decoding: $0.body, as: UTF8.self)) }
  }

  @Test func `each request's document is posted where its envelope says`() async throws {
    let receiver = try Receiver()
    let space = try Workspace(recipe: nil)
    let lines = ["a", "b"].map { Self.envelope($0, receiver.url("/\($0)")) } + [RequestTests.envelope()]
    try space.write(lines.joined(separator: "\n"), to: "request.jsonl")
    let child = try await space.run(
      "request.jsonl", environment: ["SDBATCH_WEBHOOK_SECRET": "s3cr3t"].merging(Self.quick) { $1 })
    #expect(child.output.contains("a announced to \(receiver.url("/a"))"), "\(child.output)")
    #expect(receiver.requests.count == 2)
    for request in receiver.requests {
      let id = try #require(request.headers["x-sdbatch-id"])
      #expect(request.line == "POST /\(id) HTTP/1.1")
      #expect(request.body == (try space.data("Output/request/responses/\(id).json")))
      #expect(request.headers["x-sdbatch-signature"]?.count == 7 + 64)
    }
    #expect(try Self.documents(receiver).allSatisfy { $0["status"] == "COMPLETED" && $0["webhook"] != nil })
    #expect(Self.waiting(space) == [])
    // What was reported is not announced again.
    try await space.run("request.jsonl", environment: Self.quick)
    #expect(receiver.requests.count == 2)
  }

  @Test func `a receiver that is away changes nothing about the run, and has its document from the next`() async throws
  {
    let receiver = try Receiver()
    receiver.stop()
    let space = try Workspace(recipe: nil)
    try space.write(Self.envelope("a", receiver.url()), to: "request.json")
    let child = try await space.run("request.json", environment: Self.quick)
    #expect(child.errors.contains("cannot announce to \(receiver.url()): no server answers there"), "\(child.errors)")
    #expect(child.errors.contains("1 announcement left in the outbox"))
    #expect(Self.waiting(space).count == 1)
    #expect(try RequestTests.response(space, "a")["status"] == "COMPLETED")

    let silent = try await space.run("request.json", "--no-webhook", environment: Self.quick)
    #expect(silent.errors.isEmpty && Self.waiting(space).count == 1)
    try receiver.restart()
    try await space.run("request.json", environment: Self.quick)
    #expect(try Self.documents(receiver).map { $0["id"] } == ["a"])
    #expect(Self.waiting(space) == [])
  }

  @Test func `images are made while a receiver says nothing, and a second signal need not be sent`() async throws {
    let receiver = try Receiver { _ in .silence }
    let space = try Workspace(recipe: nil)
    let lines = (0..<4).map { Self.envelope("\($0)", receiver.url()) }
    try space.write(lines.joined(separator: "\n"), to: "request.jsonl")
    let child = try space.start("request.jsonl", "--json", environment: ["SDBATCH_WEBHOOK_TIMEOUT": "86400"])
    // All is done, and the only attempt would take a day.
    try child.wait { child.output.contains(#""event":"finished""#) && !receiver.requests.isEmpty }
    #expect(receiver.requests.count == 1)
    child.kill(SIGTERM)
    // The exit code depends on the images.
    #expect(try await child.wait() == .exited(0))
    #expect(Self.waiting(space).count == 4)
    #expect(child.output.contains(#"{"event":"webhooks_waiting","count":4}"#), "\(child.output)")
  }

  @Test func `failed requests are announced once, and again when they are done`() async throws {
    let receiver = try Receiver()
    let space = try Workspace(recipe: nil)
    let late = Self.envelope("a", receiver.url(), steps: 10_000, #""policy": {"executionTimeout": 1}, "#)
    try space.write(late, to: "request.json")
    for _ in 0..<2 { try await space.run("request.json", environment: Self.quick, exits: 3) }
    try space.write(Self.envelope("a", receiver.url()), to: "request.json")
    try await space.run("request.json", environment: Self.quick)
    #expect(try Self.documents(receiver).map { $0["status"] } == ["TIMED_OUT", "COMPLETED"])
    #expect(Set(receiver.requests.map { $0.headers["x-sdbatch-id"] }) == ["a"])
    #expect(Set(receiver.requests.map { $0.headers["idempotency-key"] }).count == 2)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a request at work when the run is broken off is cancelled, and done by the next run`(signal: Int32)
    async throws
  {
    let receiver = try Receiver()
    let space = try Workspace(recipe: nil)
    let lines = [Self.envelope("a", receiver.url(), steps: 200), Self.envelope("b", receiver.url(), steps: 3)]
    try space.write(lines.joined(separator: "\n"), to: "request.jsonl")
    let child = try space.start("request.jsonl", "--json", environment: Self.quick)
    try child.wait { child.output.contains(#""step":2,"#) }
    child.kill(signal)
    #expect(try await child.wait() == .exited(signal == SIGINT ? 130 : 75))
    let document = try RequestTests.response(space, "a")
    #expect(document["status"] == "CANCELLED" && document["output"] == nil)
    #expect(
      document["error"]?.text == "stopped by \(signal == SIGINT ? "SIGINT" : "SIGTERM"); the next run continues it")
    #expect(!space.exists("Output/request/responses/b.json"))

    try await space.run("request.jsonl", environment: Self.quick)
    #expect(try RequestTests.response(space, "a")["status"] == "COMPLETED")
    let announced = try Self.documents(receiver).map { "\($0["id"]?.text ?? "") \($0["status"]?.text ?? "")" }
    // The first run, the second run or no run may announce the cancellation, because there is newer news.
    #expect(announced.filter { $0 != "a CANCELLED" } == ["a COMPLETED", "b COMPLETED"], "\(announced)")
  }

  @Test(arguments: ["--max-time", "SIGUSR1"])
  func `a run that ends at its time cancels nothing`(end: String) async throws {
    let space = try Workspace(recipe: nil)
    try space.write(Self.envelope("a", "http://127.0.0.1:1/", steps: 10_000), to: "request.json")
    let limit = end == "--max-time" ? ["--max-time", "2s"] : []
    let child = try space.start([Child.program, "request.json", "--json"] + limit, environment: Self.quick)
    if end == "SIGUSR1" {
      try child.wait { child.output.contains(#""step":2,"#) }
      child.kill(SIGUSR1)
    }
    #expect(try await child.wait() == .exited(75))
    #expect(!space.exists("Output/request/responses/a.json") && Self.waiting(space) == [])
  }

  @Test func `a sender killed again and again delivers every document, whole and in order`() async throws {
    // Sometimes the receiver fails too.
    let receiver = try Receiver { request in
      switch request.number % 5 {
      case 1: .status(500)
      case 3: .hangUp
      default: .status(200)
      }
    }
    let space = try Workspace(recipe: nil)
    let ids = (0..<10).map { "r\($0)" }
    // Some requests ask for the same images, and are answered at once.
    let lines = ids.enumerated().map { Self.envelope($1, receiver.url(), seed: $0 / 2 * 10, steps: 1) }
    try space.write(lines.joined(separator: "\n"), to: "request.jsonl")
    var random = SplitMix64(state: 5)
    for _ in 0..<6 {
      let child = try space.start("request.jsonl", "--json", environment: Self.quick)
      let marker =
        [
          #""event":"image_done""#, #""event":"webhook_delivered""#, #""event":"webhook_retried""#,
          #""event":"finished""#,
          #""event":"job_started""#,
        ].randomElement(using: &random) ?? ""
      let times = Int.random(in: 1...3, using: &random)
      try child.wait { child.output.components(separatedBy: marker).count > times }
      usleep(UInt32.random(in: 0...8000, using: &random))
      child.kill(SIGKILL)
      _ = try await child.wait()
    }
    // With bad luck, three attempts may not be enough for a run.
    for _ in 0..<20
    where receiver.accepted.isEmpty || !Self.waiting(space).isEmpty || !space.exists("Output/request/manifest.json") {
      try await space.run("request.jsonl", environment: Self.quick)
    }
    try await space.run("request.jsonl", environment: Self.quick)
    let announced = try Self.documents(receiver)
    var seen: [String] = []
    for document in announced {
      #expect(document["status"] == "COMPLETED" && document["output"]?["images"]?.elements?.count == 2)
      if let id = document["id"]?.text, !seen.contains(id) { seen.append(id) }
    }
    #expect(seen == ids, "\(seen)")
    #expect(Self.waiting(space) == [])
    // An announcement that arrives twice has the same key.
    for id in ids {
      let keys = receiver.requests.filter { $0.headers["x-sdbatch-id"] == id }.map { $0.headers["idempotency-key"] }
      #expect(Set(keys).count == 1)
    }
  }

  @Test func `a recipe announces the run, or each image, or both`() async throws {
    let receiver = try Receiver()
    let space = try Workspace(recipe: Workspace.recipe + "webhook: \(receiver.url("/run"))\n")
    try await space.run("recipe.yaml", environment: Self.quick)
    try await space.run("recipe.yaml", environment: Self.quick)
    let run = try #require(try Self.documents(receiver).first)
    #expect(receiver.requests.count == 1 && run["status"] == "COMPLETED" && run["output"]?["images"] == [])
    let info = try JSONValue(parsing: try #require(run["output"]?["info"]?.text))
    #expect(info["all_seeds"] == [1, 2, 3, 4] && run["output"]?["parameters"]?["prompt"] == "a small boat")

    try space.write(
      Workspace.recipe + "webhook: {url: \"\(receiver.url("/both"))\", per: [job, run]}\n", to: "recipe.yaml")
    try await space.run("recipe.yaml", "--output", "both", environment: Self.quick)
    let both = try Self.documents(receiver).dropFirst()
    let jobs = try space.manifestJobs("both").compactMap { $0["id"]?.text }
    #expect(both.compactMap { $0["id"]?.text }.dropLast() == jobs[...])
    #expect(both.last?["output"]?["info"]?.text?.contains("\"all_seeds\": [1, 2, 3, 4]") == true)

    try space.write(Workspace.recipe + "webhook: {url: \"\(receiver.url("/job"))\", per: job}\n", to: "recipe.yaml")
    try await space.run("recipe.yaml", "--output", "jobs", "--set", "seed=9", environment: Self.quick)
    let job = try #require(try Self.documents(receiver).last)
    let image = try #require(job["output"]?["images"]?.elements?.first?.text.flatMap { Data(base64Encoded: $0) })
    #expect(try Array(space.images("jobs").values) == [image] && receiver.requests.count == 7)

    try await space.run("recipe.yaml", "--output", "quiet", "--no-webhook", environment: Self.quick)
    #expect(receiver.requests.count == 7 && !space.exists("quiet/outbox") && !space.exists("quiet/responses"))
  }

  @Test func `secrets of an address are in the outbox and nowhere else`() async throws {
    let space = try Workspace(
      recipe: Workspace.recipe + "webhook: \"http://name:passw0rd@127.0.0.1:1/done?token=t0ken#fr4gment\"\n")
    let environment = Self.quick.merging(["SDBATCH_WEBHOOK_SECRET": "s3cr3t"]) { $1 }
    let child = try await space.run("recipe.yaml", "--json", "--set", "steps=2", environment: environment)
    let set = try await space.run(
      "recipe.yaml", "--set", "webhook=http://name:passw0rd@127.0.0.1:1/?token=t0ken", environment: environment)
    for secret in ["passw0rd", "t0ken", "s3cr3t", "fr4gment"] {
      for child in [child, set] { #expect(!child.output.contains(secret) && !child.errors.contains(secret)) }
      for name in try FileManager.default.subpathsOfDirectory(atPath: space.path + "/run") {
        guard !name.hasPrefix("outbox/"), let data = FileManager.default.contents(atPath: space.path + "/run/" + name)
        else { continue }
        #expect(data.range(of: Data(secret.utf8)) == nil, "\(secret) in \(name)")
      }
    }
    #expect(child.output.contains("http://***@127.0.0.1:1/done?***"), "\(child.output)")
    #expect(Self.waiting(space, in: "run").count == 2)
    // The run's copy of the recipe does not contain them.
    let copy = try await space.run("run/recipe.yaml", "--output", "copy", environment: environment)
    #expect(copy.errors.contains("found an address whose secrets were removed (***)") && !space.exists("copy/outbox"))
  }

  @Test func `a wrong environment is reported before anything is done`() async throws {
    let space = try Workspace()
    let child = try await space.run("recipe.yaml", environment: ["SDBATCH_WEBHOOK_ATTEMPTS": "many"], exits: 10)
    #expect(child.errors == "sdbatch: SDBATCH_WEBHOOK_ATTEMPTS: found \"many\", expected a number from 1 to 1000\n")
    #expect(!space.exists("run"))
  }
}
