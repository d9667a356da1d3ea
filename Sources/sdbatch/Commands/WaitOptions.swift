import ArgumentParser

/// What a run waits for.
struct WaitOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Wait while the disk of the run folder has less free space: 10GiB.", valueName: "size"))
  var minFree: ByteAmount?

  @Option(help: ArgumentHelp("Wait while the load by other processes is higher: 4.", valueName: "load"))
  var maxLoad: Double?

  @Flag(help: "Wait while the machine is on its battery.")
  var pauseOnBattery = false

  func validate() throws {
    if let maxLoad, !(0...1_000_000).contains(maxLoad) { throw ValidationError("--max-load takes a number from 0 on") }
  }
}
