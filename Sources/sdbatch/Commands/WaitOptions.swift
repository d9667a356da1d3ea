import ArgumentParser

/// What a run waits for.
struct WaitOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Wait while the run folder's disk has less free space: 10GiB.", valueName: "size"))
  var minFree: ByteAmount?

  @Option(help: ArgumentHelp("Wait while the load by other processes is higher than this: 4.", valueName: "load"))
  var maxLoad: Double?

  @Flag(help: "Wait while the machine runs on its battery.")
  var pauseOnBattery = false

  func validate() throws {
    if let maxLoad, !(0...1_000_000).contains(maxLoad) { throw ValidationError("--max-load takes a number from 0 on") }
  }
}
