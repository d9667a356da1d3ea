import JSON

/// How a request to `/sdapi/v1/txt2img` gives a setting.
public struct RequestEntry: Sendable {
  /// The defaults of the setting's own field; nil if there is no such field.
  package let field: Field?
  /// The option in `override_settings`; nil if there is none.
  package let option: String?

  /// The defaults of a field.
  package struct Field: Hashable, Sendable {
    /// The webui's default.
    package var a1111: JSONValue
    /// The serverless worker's default; nil if the worker does not have the field.
    package var worker: JSONValue?

    package init(a1111: JSONValue, worker: JSONValue?) {
      self.a1111 = a1111
      self.worker = worker
    }
  }

  private init(field: Field?, option: String?) {
    self.field = field
    self.option = option
  }

  /// Requests cannot give the setting.
  package static let none = RequestEntry(field: nil, option: nil)

  /// A field with the setting's name, and an option if `option` names one.
  package static func field(_ a1111: JSONValue, worker: JSONValue?, option: String? = nil) -> RequestEntry {
    RequestEntry(field: Field(a1111: a1111, worker: worker), option: option)
  }

  /// An option of the webui.
  package static func option(_ name: String) -> RequestEntry { RequestEntry(field: nil, option: name) }
}
