import JSON

/// Where a body that is posted to `/sdapi/v1/txt2img` has a setting.
public struct RequestPlace: Sendable {
  /// The defaults of a field of the setting's own; nil if there is no such field.
  package let field: Field?
  /// The option in `override_settings`; nil if there is none.
  package let option: String?

  /// The defaults of a field.
  package struct Field: Hashable, Sendable {
    /// The webui's default.
    package var a1111: JSONValue
    /// The serverless worker's; nil if it does not know the field.
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

  /// Requests cannot set it.
  package static let none = RequestPlace(field: nil, option: nil)

  /// A field of the setting's own name, and an option if `option` names one.
  package static func field(_ a1111: JSONValue, worker: JSONValue?, option: String? = nil) -> RequestPlace {
    RequestPlace(field: Field(a1111: a1111, worker: worker), option: option)
  }

  /// An option of the webui.
  package static func option(_ name: String) -> RequestPlace { RequestPlace(field: nil, option: name) }
}
