import Runs
import Settings
import Text

/// The speed of a run and the time left: seconds per sampling step, including decoding and everything else.
struct Pace {
  private var stepsDone = 0
  private var stepsLeft = 0
  private var stepsOfImage = 0
  /// The steps of images that exist already.
  private var stepsFound = 0
  private var started: ContinuousClock.Instant?

  /// The average time of a step in seconds; nil before the first step.
  var secondsPerStep: Double? {
    guard let started, stepsDone > 0 else { return nil }
    let elapsed = (ContinuousClock.now - started).components
    return (Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18) / Double(stepsDone)
  }

  /// Seconds until all images are made, at this speed.
  var secondsLeft: Double? { secondsPerStep.map { $0 * Double(stepsLeft) } }

  /// How much of the whole run is done, including earlier runs, from 0 to 1.
  var fraction: Double {
    let done = Double(stepsFound + stepsDone)
    return done + Double(stepsLeft) > 0 ? min(1, done / (done + Double(max(0, stepsLeft)))) : 0
  }

  mutating func note(_ event: RunEvent) {
    switch event {
    case .started(let start):
      stepsLeft = start.stepsToMake
    case .progress(_, .sampling(let step, _)):
      // Loading does not count, since it does not predict the next steps.
      if started == nil { started = .now }
      let new = step - stepsOfImage
      stepsOfImage = step
      stepsDone += new
      stepsLeft -= new
    case .imageFound(let job, _):
      stepsFound += job.settings.allSteps
    case .resumed(_, let step):
      // An earlier run took these steps, so they cost no time in this run.
      stepsLeft -= step
      stepsFound += step
      stepsOfImage = step
    case .shared(_, let step):
      // The number of steps to make does not include these.
      stepsOfImage = step
    case .imageDone:
      stepsOfImage = 0
    case .jobFailed(let running, _):
      stepsLeft -= running.job.settings.allSteps - stepsOfImage
      stepsOfImage = 0
    case .jobStarted, .progress, .checkpointIgnored, .jobQuarantined, .finished:
      break
    }
  }

  /// "1.25 s".
  static func seconds(_ value: Double) -> String {
    // The value may come from a damaged file.
    let hundredths = Int((min(max(value, 0), 1e12) * 100).rounded())
    return "\(hundredths / 100).\((hundredths % 100).padded(to: 2)) s"
  }

  /// "4.5s", "45s", "3m12s", "5h07m".
  static func duration(_ value: Double) -> String {
    if value < 9.95 { return "\((value * 10).rounded() / 10)s" }
    let seconds = Int(min(value, 1e12).rounded(.up))
    if seconds < 60 { return "\(seconds)s" }
    if seconds < 3600 { return "\(seconds / 60)m\((seconds % 60).padded(to: 2))s" }
    return "\(seconds / 3600)h\((seconds / 60 % 60).padded(to: 2))m"
  }
}
