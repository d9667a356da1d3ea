import Foundation
import Imaging
import Infotext
import JSON
import Runs
import Settings
import Testing
import TestSupport

@Suite struct RunnerTests {
  @Test func `a run leaves every image under its name, with its text and its pixels`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([7, 1_234_567_890_123])
    let outcome = try space.run(jobs)
    #expect(outcome.counts == RunCounts(done: 2))
    #expect(outcome.imagesMade == 2)
    #expect(outcome.stop == nil)
    let images = try space.images()
    #expect(images.count == 2)
    for job in jobs {
      let ingredients = try space.generator.ingredients(for: job.settings)
      let id = JobID(job.settings, ingredients).description
      let name = "0000\(job.index)-\(job.settings.seed)-\(id.prefix(8)).png"
      let file = try PNGFile(decoding: try #require(images[name]))
      #expect(file.image == (try space.generator.picture(job.settings)))
      #expect(file.texts.map(\.keyword) == ["parameters"])
      #expect(file.text("parameters") == Infotext(job.settings, ingredients, version: "1.2.3").text)
    }
    #expect(try String(contentsOfFile: space.folder.recipe, encoding: .utf8) == "prompt: fish\n")
    let trace = space.lines(space.folder.trace).map { $0.split(separator: "\t").map(String.init) }
    let column = try #require(trace.first?.firstIndex(of: "file"))
    #expect(trace.dropFirst().map { $0[column] } == (try space.manifestJobs()).map { $0["file"] as? String })
  }

  @Test func `the manifest holds what its readers are promised`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [2]
    let jobs = fakeJobs([1, 2, 3])
    try space.run(jobs, generator) {
      nil
    } observe: { _ in
    }
    let manifest = try space.manifest()
    #expect(Set(manifest.keys) == ["schema", "run", "recipe", "models", "engine", "jobs", "checksum"])
    #expect(manifest["schema"] as? Int == 1)
    let run = try #require(manifest["run"] as? [String: Any])
    #expect(Set(run.keys) == ["started", "finished", "host", "status", "counts"])
    #expect(run["status"] as? String == "failed")
    #expect(run["counts"] as? [String: Int] == ["total": 3, "done": 2, "failed": 1, "pending": 0])
    let format = ISO8601DateFormatter()
    format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    let started = try #require(format.date(from: run["started"] as? String ?? ""))
    #expect(abs(started.timeIntervalSinceNow) < 60)
    #expect((manifest["recipe"] as? [String: Any])?["prompt"] as? String == "fish")
    let models = try #require(manifest["models"] as? [[String: Any]])
    #expect(models.map { $0["path"] as? String } == ["/models/fake.safetensors"])
    #expect(Set(models[0].keys) == ["name", "path", "sha256", "family"])
    let engine = try #require(manifest["engine"] as? [String: Any])
    #expect(Set(engine.keys) == ["version", "numerics", "isa", "precision", "threads"])

    for (job, entry) in zip(jobs, try space.manifestJobs()) {
      let keys: Set = [
        "id", "index", "axes", "status", "file", "sha256", "pixels_sha256", "parameters", "infotext", "info", "seconds",
        "error",
      ]
      #expect(Set(entry.keys) == keys)
      #expect(entry["index"] as? Int == job.index)
      #expect(
        entry["axes"] as? [[String: String]]
          == [["name": "seed", "value": "\(job.settings.seed)", "title": "seed \(job.settings.seed)"]])
      let ingredients = try generator.ingredients(for: job.settings)
      #expect(entry["id"] as? String == JobID(job.settings, ingredients).description)
      let settings = try #require(entry["parameters"] as? [String: Any])
      #expect(settings["sampler_name"] as? String == "DPM++ 2M")
      #expect(settings["scheduler"] as? String == "karras")
      #expect(settings["precision"] as? String == "fp32")
      #expect(settings["model"] as? String == "demo")
      #expect(settings["vae"] is NSNull)
      #expect(settings["seed"] as? Int64 == job.settings.seed)
      if job.settings.seed == 2 {
        #expect(entry["status"] as? String == "failed")
        #expect(entry["error"] as? String == "the fake engine was told to fail")
        #expect(entry["file"] is NSNull && entry["sha256"] is NSNull && entry["info"] is NSNull)
        continue
      }
      #expect(entry["status"] as? String == "done")
      #expect(entry["error"] is NSNull)
      let file = try #require(entry["file"] as? String)
      let bytes = try Data(contentsOf: URL(fileURLWithPath: space.folder.path + "/" + file))
      #expect(entry["sha256"] as? String == digest(bytes))
      let png = try PNGFile(decoding: Array(bytes))
      #expect(entry["pixels_sha256"] as? String == digest(png.image.pixels))
      #expect(entry["infotext"] as? String == png.text("parameters"))
      let info = try #require(entry["info"] as? [String: Any])
      #expect(info["infotexts"] as? [String] == [try #require(png.text("parameters"))])
      #expect(info["all_seeds"] as? [Int64] == [job.settings.seed])
      #expect((info["job_timestamp"] as? String)?.count == 14)
      #expect(entry["seconds"] is Double)
    }
  }

  @Test func `observers hear of every step in order`() throws {
    let space = try Workspace()
    var heard: [String] = []
    try space.run(fakeJobs([1])) {
      nil
    } observe: { event in
      switch event {
      case .started(let start): heard.append("started \(start.imagesToMake) \(start.stepsToMake)")
      case .jobStarted(let job): heard.append("job \(job.number)/\(job.count)")
      case .progress(_, let progress): heard.append("\(progress)")
      case .imageDone(_, let file, _): heard.append(String(file.prefix(14)))
      case .imageFound, .resumed, .shared, .checkpointIgnored, .jobQuarantined, .jobFailed: heard.append("trouble")
      case .finished(let outcome): heard.append("finished \(outcome.imagesMade)")
      }
    }
    #expect(
      heard == [
        "started 1 3", "job 1/1", "loading(\"demo\")", "encoding", "sampling(step: 0, of: 3)",
        "sampling(step: 1, of: 3)", "sampling(step: 2, of: 3)", "sampling(step: 3, of: 3)", "decoding",
        "images/00000-1", "finished 1",
      ])
  }

  @Test func `cells that are one image share one file`() throws {
    let space = try Workspace()
    var jobs = fakeJobs([5, 6, 5, 5])
    // DPM++ 2M does not read it, so it is still the same image.
    jobs[3].settings.eta = 0.5
    let outcome = try space.run(jobs)
    #expect(outcome.imagesMade == 2)
    #expect(outcome.counts == RunCounts(done: 4))
    #expect(space.generator.calls == [5, 6])
    let files = try space.manifestJobs().map { $0["file"] as? String }
    #expect(files[0] == files[2] && files[0] == files[3] && files[0] != files[1])
  }

  @Test func `jobs of one model are done together, otherwise in written order`() throws {
    let space = try Workspace()
    var jobs = fakeJobs([1, 2, 3, 4, 5])
    for index in [1, 3] { jobs[index].settings.model = ModelReference(name: "other", path: "/other") }
    try space.run(jobs)
    #expect(space.generator.calls == [1, 3, 5, 2, 4])
    #expect(try space.manifestJobs().map { $0["index"] as? Int } == [0, 1, 2, 3, 4])
    #expect((try space.manifest()["models"] as? [Any])?.count == 2)
  }

  @Test func `within a model, jobs with the same LoRAs are done together`() throws {
    let space = try Workspace()
    var jobs = fakeJobs([1, 2, 3, 4, 5, 6, 7, 8])
    for index in [1, 3, 5, 7] { jobs[index].settings.model = ModelReference(name: "other", path: "/other") }
    for index in jobs.indices { jobs[index].settings.adapterFolders = ["/"] }
    for index in [0, 3, 4, 7] { jobs[index].settings.prompt = "lora ink" }
    for index in [6] { jobs[index].settings.prompt = "lora storm" }
    try space.run(jobs)
    #expect(space.generator.calls == [1, 5, 3, 7, 2, 6, 4, 8])
    let models = try space.manifest()["models"] as? [[String: Any]] ?? []
    #expect(models.count { $0["family"] as? String == "lora" } == 2)
    // What was planned reads back.
    let plan = try PlanFile.read(space.folder)
    #expect(plan.jobs[0].ingredients.loras?.first?.unetMultiplier == 0.5)
    #expect(plan.jobs[1].ingredients.loras == nil)
  }

  // MARK: Failure

  @Test func `a failed job is noted, the others continue, and the next run tries it again`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [2]
    #expect(try space.run(fakeJobs([1, 2, 3]), generator).counts == RunCounts(done: 2, failed: 1))
    #expect(try space.run(fakeJobs([1, 2, 3]), generator).counts == RunCounts(done: 2, failed: 1))
    #expect(try space.run(fakeJobs([1, 2, 3])).counts == RunCounts(done: 3))
    #expect(generator.calls == [1, 2, 3, 2, 2])
    #expect(try space.manifestJobs().allSatisfy { $0["error"] is NSNull })
  }

  @Test func `a run that is to stop at the first failure leaves the rest`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [2, 3]
    let outcome = try space.run(fakeJobs([1, 2, 3]), generator, onFailure: .stop)
    #expect(outcome.counts == RunCounts(done: 1, failed: 1, pending: 1))
    #expect(outcome.stop == .failure)
    #expect(generator.calls == [1, 2])
    let last = try space.run(fakeJobs([1, 2]), generator, onFailure: .stop)
    #expect(last.stop == nil)
  }

  @Test func `a model that is not usable ends the run and says so`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.damagedModels = ["other"]
    var jobs = fakeJobs([1, 2, 3])
    for index in 1...2 { jobs[index].settings.model = ModelReference(name: "other", path: "/other") }
    #expect(throws: FakeGenerator.ModelFailure.self) { try space.run(jobs, generator) }
    #expect(try space.manifestJobs().map { $0["status"] as? String } == ["done", "failed", "pending"])
    #expect((try space.manifest()["run"] as? [String: Any])?["status"] as? String == "aborted")
  }

  @Test func `an image of the wrong size is a failure of its job`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.size = 9
    #expect(try space.run(fakeJobs([1]), generator).counts == RunCounts(failed: 1))
    #expect(try space.manifestJobs()[0]["error"] as? String == "the image is 9x16, expected 8x16")
  }

  // MARK: Stopping

  @Test(arguments: 0..<14)
  func `a run that is asked to stop does so within a step, and the next one finishes it`(asks: Int) throws {
    let space = try Workspace()
    var left = asks
    let outcome = try space.run(
      fakeJobs([1, 2]),
      stopRequest: {
        left -= 1
        return left < 0 ? .signal(SIGTERM) : nil
      })
    // Each image asks once before it begins, and at seven stages.
    #expect(outcome.imagesMade == asks / 8)
    #expect(outcome.stop == .signal(SIGTERM))
    #expect(outcome.counts == RunCounts(done: asks / 8, pending: 2 - asks / 8))
    #expect((try space.manifest()["run"] as? [String: Any])?["status"] as? String == "stopped")
    let next = try space.run(fakeJobs([1, 2]))
    #expect(next.imagesMade == 2 - asks / 8)
    #expect(next.stop == nil)
  }
}
