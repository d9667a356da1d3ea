import Settings
import Text

extension Job {
  /// The date of the nightly series that the job belongs to; nil for other jobs.
  public var night: LocalDate? { axes.first { $0.name == Nights.axis }.flatMap { LocalDate($0.value) } }
}

/// The nights of a series: the axis that gives jobs their date, and how sheets and pages show it.
enum Nights {
  /// The axis that holds the date.
  static let axis = "night"
  private static let seeds = "seed"

  /// The axis positions of jobs as views show them: the newest night is marked, and a seed is shown as its index in its night,
  /// since no two nights have a seed in common.
  ///
  /// - Parameter jobs: The jobs that are shown, in the order of the plan.
  /// - Returns: The axis positions of each job.
  static func shownAxes(of jobs: [Job]) -> [[AxisPosition]] {
    guard let newest = jobs.lazy.compactMap(\.night).max() else { return jobs.map(\.axes) }
    var numbers: [LocalDate: [String: Int]] = [:]
    return jobs.map { job in
      guard let night = job.night else { return job.axes }
      return job.axes.map { position in
        switch position.name {
        case axis where night == newest:
          return AxisPosition(name: axis, value: position.value, title: "\(position.title) (new)")
        case seeds:
          let known = numbers[night, default: [:]]
          let number = known[position.value] ?? known.count + 1
          numbers[night, default: [:]][position.value] = number
          return AxisPosition(name: seeds, value: "\(number)", title: "no. \(number)")
        default: return position
        }
      }
    }
  }
}

/// Which nights are kept, as restic does it: each rule keeps nights, and a night stays if at least one rule keeps it.
public struct KeepRules: Hashable, Sendable {
  /// How many of the newest nights to keep.
  public var last: Int
  /// For how many of the newest days with nights to keep the newest night.
  public var daily: Int
  /// For how many of the newest weeks with nights to keep the newest night.
  public var weekly: Int
  /// For how many of the newest months with nights to keep the newest night.
  public var monthly: Int

  /// Makes rules; 0 means no rule.
  public init(last: Int = 0, daily: Int = 0, weekly: Int = 0, monthly: Int = 0) {
    (self.last, self.daily, self.weekly, self.monthly) = (last, daily, weekly, monthly)
  }

  /// The nights that stay.
  public func kept(_ nights: some Sequence<LocalDate>) -> Set<LocalDate> {
    let nights = Set(nights).sorted(by: >)
    var kept = Set(nights.prefix(last))
    func keep<Period: Equatable>(_ count: Int, _ period: (LocalDate) -> Period) {
      var (left, latest): (Int, Period?) = (count, nil)
      for night in nights where left > 0 && period(night) != latest {
        latest = period(night)
        left -= 1
        kept.insert(night)
      }
    }
    keep(daily) { $0 }
    keep(weekly) { $0.weekNumber }
    keep(monthly) { $0.monthText }
    return kept
  }
}
