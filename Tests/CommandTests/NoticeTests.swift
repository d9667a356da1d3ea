import Foundation
import JSON
import TestSupport
import Testing

/// Reports of whole runs: a ping, a mail, a command.
@Suite struct NoticeTests {
  /// One job is made and one fails, in every run.
  private static func recipe(_ notify: String) -> String {
    """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 64
    steps: 3
    seed: 5
    emphasis: No norm
    grid:
      case:
        - {title: bad, prompt: "a (boat:100000000000000000000000000000000000000)", sampler_name: DPM adaptive}
        - {title: good}
    output: run
    \(notify)

    """
  }

  private func lines(_ receiver: Receiver) -> [String] { receiver.requests.map(\.line) }

  @Test func `a ping says that a run began and how it ended; a failure that stays is reported once`() async throws {
    let receiver = try Receiver()
    let space = try Workspace(recipe: Self.recipe("notify: \(receiver.url("/uuid/"))"))
    try await space.run("recipe.yaml", exits: 3)
    #expect(lines(receiver) == ["POST /uuid/start HTTP/1.1", "POST /uuid/fail HTTP/1.1"])
    let report = String(decoding: receiver.requests[1].body, as: UTF8.self)
    #expect(report.hasPrefix("\(space.path)/run: 1 of 2 done, 1 failed (1 made in "), "\(report)")
    #expect(report.contains("\njob 0 (") && report.contains("contains NaN or infinite numbers"))
    // The same cell, the next night.
    try await space.run("recipe.yaml", exits: 3)
    #expect(lines(receiver).suffix(2) == ["POST /uuid/start HTTP/1.1", "POST /uuid HTTP/1.1"])
    // After it was made, it counts as new when it fails again.
    try await space.run("recipe.yaml", "--set", "emphasis=Original")
    try await space.run("recipe.yaml", exits: 3)
    #expect(lines(receiver).last == "POST /uuid/fail HTTP/1.1")
    // A continued run reports too, and --no-webhook does not.
    try await space.run("run", "run", exits: 3)
    #expect(receiver.requests.count == 10)
    try await space.run("run", "run", "--no-webhook", exits: 3)
    #expect(receiver.requests.count == 10)
  }

  @Test func `secrets of the address stay out of the run folder, and a receiver that is away is a warning`()
    async throws
  {
    let receiver = try Receiver()
    receiver.stop()
    let url = "http://me:secret@127.0.0.1:\(receiver.port)/uuid"
    let space = try Workspace(recipe: Workspace.recipe + "notify: {ping: \"\(url)\"}\n")
    let child = try await space.run("recipe.yaml")
    #expect(child.errors.contains("warning: cannot ping http://***@127.0.0.1:\(receiver.port)/uuid: no server"))
    for name in ["recipe.yaml", "plan.jsonl", "manifest.json"] {
      #expect(try !space.text("run/" + name).contains("secret"), "\(name)")
    }
  }

  @Test func `mail comes on trouble only, and a command hears of everything`() async throws {
    let space = try Workspace(recipe: Self.recipe("notify: {mail: me@example.org}"))
    try space.makeFolder("bin")
    try space.writeProgram("#!/bin/sh\n(echo \"$@\"; cat) >>\"$HOME/mails\"\n", to: "bin/sendmail")
    try space.makeFolder("home")
    let environment = [
      "PATH": space.path + "/bin:/usr/bin:/bin",
      "SDBATCH_NOTIFY_COMMAND": "echo $SDBATCH_EVENT $SDBATCH_EXIT_CODE $(wc -l) >>$HOME/events",
    ]
    try await space.run("recipe.yaml", environment: environment, exits: 3)
    let mail = try space.text("home/mails")
    #expect(mail.hasPrefix("-i -- me@example.org\nTo: me@example.org\nSubject: sdbatch: trouble with run\n"))
    #expect(mail.contains("\n\n\(space.path)/run: 1 of 2 done, 1 failed"))
    try await space.run("recipe.yaml", environment: environment, exits: 3)
    #expect(try space.text("home/mails") == mail)
    #expect(try space.text("home/events") == "start 1\nfailure 3 2\nstart 1\nsuccess 3 1\n")
    // A model that cannot be used is a problem too.
    try space.write("not a model", to: "junk.safetensors")
    try await space.run("recipe.yaml", "--set", "model=junk.safetensors", environment: environment, exits: 10)
    let more = try space.text("home/mails").dropFirst(mail.count)
    #expect(more.hasPrefix("-i -- me@example.org\n") && more.contains("junk.safetensors"))
  }

  @Test func `what is wrong with a recipe's notify is reported with its position`() async throws {
    for (notify, error) in [
      ("notify: mail", "recipe.yaml:10:9: error: ping: expected an address"),
      ("notify: {mail: -oops}", "recipe.yaml:10:16: error: mail: found \"-oops\""),
      ("notify: {command: rm}", "expected it in SDBATCH_NOTIFY_COMMAND"),
      ("notify: {pong: http://a}", "did you mean \"ping\"?"), ("notify: {}", "found an empty mapping"),
    ] {
      let space = try Workspace(recipe: Workspace.recipe + notify + "\n")
      let child = try await space.run("plan", "recipe.yaml", exits: 10)
      #expect(child.errors.contains(error), "\(child.errors)")
    }
    let space = try Workspace()
    let child = try await space.run("recipe.yaml", environment: ["SDBATCH_NOTIFY_PING": "nowhere"], exits: 10)
    #expect(child.errors.contains("SDBATCH_NOTIFY_PING: found \"a value that may") && !space.exists("run"))
  }
}
