import Settings

/// Follows a run, for example to print its progress.
public protocol RunObserver: AnyObject {
  /// Receives every event.
  func note(_ event: RunEvent)

  /// Called when the images are done, also after an error, before the contact sheet is made.
  func close()
}

/// Answers requests for the images of a run.
public protocol RunAnswers: AnyObject {
  /// Receives every event, before the observer does.
  func note(_ event: RunEvent)

  /// Why a job must end: its response missed its deadline. nil while there is time left.
  func deadline(for job: Job) -> String?

  /// Called when the images are done; makes the last responses durable.
  ///
  /// - Parameter stop: Why the run ended with work left; nil if no work is left.
  /// - Throws: Why a response could not be written.
  func close(_ stop: StopReason?) throws

  /// Sends the remaining announcements, as the last part of a run.
  ///
  /// - Parameter isStopping: Whether to leave the rest to the next run; called repeatedly.
  func deliver(until isStopping: @escaping () -> Bool)
}

/// Makes the contact sheet and the page.
public protocol RunViews: AnyObject {
  /// Makes the contact sheet of a run whose jobs are all done or failed.
  ///
  /// - Throws: Why it could not be written.
  func makeSheet() throws

  /// Updates the page.
  ///
  /// - Parameter patience: The longest time for making thumbnails; nil for no limit.
  /// - Throws: Why it could not be written.
  func refreshPage(patience: Duration?) throws
}
