import Settings

/// Follows a run, to print its progress for example.
public protocol RunObserver: AnyObject {
  /// Receives every event.
  func note(_ event: RunEvent)

  /// The images are done; called also after an error, before the contact sheet is made.
  func close()
}

/// Answers those who asked for the images of a run.
public protocol RunAnswers: AnyObject {
  /// Receives every event, before the observer does.
  func note(_ event: RunEvent)

  /// Why a job must end: its response missed its deadline. nil while there is time.
  func deadline(for job: Job) -> String?

  /// The images are done; makes the last answers durable.
  ///
  /// - Parameter stop: Why the run ended with work left; nil if it did not.
  /// - Throws: Why an answer could not be written, if one could not.
  func close(_ stop: StopReason?) throws

  /// Sends the remaining announcements, as the last part of a run.
  ///
  /// - Parameter isStopping: Whether to leave the rest to the next run; asked again and again.
  func deliver(until isStopping: @escaping () -> Bool)
}

/// Makes the contact sheet and the page.
public protocol RunViews: AnyObject {
  /// Makes the contact sheet of a run whose jobs are all done or failed.
  ///
  /// - Throws: Why it could not be written.
  func makeSheet() throws

  /// Brings the page up to date.
  ///
  /// - Parameter patience: How long to make thumbnails; nil for as long as it takes.
  /// - Throws: Why it could not be written.
  func refreshPage(patience: Duration?) throws
}
