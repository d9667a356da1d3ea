import CYAML

/// Writes nodes back as YAML, with libyaml's emitter.
package enum YAMLWriter {
  /// One document in UTF-8. Block and flow styles and quoting are kept as far as the text allows. Nil if memory cannot be
  /// allocated.
  package static func text(of root: YAMLNode) -> String? {
    guard let emitter = YAMLEmitter() else { return nil }
    return emitter.write(root) ? String(decoding: emitter.output.bytes, as: UTF8.self) : nil
  }
}

private final class YAMLOutput {
  var bytes: [UInt8] = []
}

private final class YAMLEmitter {
  let output = YAMLOutput()
  private let emitter: UnsafeMutablePointer<yaml_emitter_t>

  init?() {
    emitter = .allocate(capacity: 1)
    guard yaml_emitter_initialize(emitter) == 1 else {
      emitter.deallocate()
      return nil
    }
    yaml_emitter_set_output(
      emitter,
      { context, bytes, count in
        guard let context, let bytes else { return 0 }
        let output = Unmanaged<YAMLOutput>.fromOpaque(context).takeUnretainedValue()
        output.bytes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
        return 1
      }, Unmanaged.passUnretained(output).toOpaque())
    yaml_emitter_set_unicode(emitter, 1)
    // Never fold a line: a folded plain scalar reads back with different blanks.
    yaml_emitter_set_width(emitter, -1)
  }

  deinit {
    yaml_emitter_delete(emitter)
    emitter.deallocate()
  }

  func write(_ root: YAMLNode) -> Bool {
    emit { yaml_stream_start_event_initialize($0, YAML_UTF8_ENCODING) }
      && emit { yaml_document_start_event_initialize($0, nil, nil, nil, 1) }
      && write(node: root)
      && emit { yaml_document_end_event_initialize($0, 1) }
      && emit { yaml_stream_end_event_initialize($0) }
      && yaml_emitter_flush(emitter) == 1
  }

  private func write(node: YAMLNode) -> Bool {
    switch node.content {
    case .scalar(let scalar): return write(scalar: scalar)
    case .sequence(let items):
      let style = node.isFlow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE
      return emit { yaml_sequence_start_event_initialize($0, nil, nil, 1, style) }
        && items.allSatisfy(write(node:))
        && emit { yaml_sequence_end_event_initialize($0) }
    case .mapping(let entries):
      let style = node.isFlow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE
      return emit { yaml_mapping_start_event_initialize($0, nil, nil, 1, style) }
        && entries.allSatisfy { write(scalar: $0.key) && write(node: $0.value) }
        && emit { yaml_mapping_end_event_initialize($0) }
    }
  }

  private func write(scalar: YAMLScalar) -> Bool {
    // The emitter would quote an empty plain scalar, which would turn null into text.
    var text = scalar.isNull ? "null" : scalar.text
    let style =
      switch scalar.style {
      case .plain: YAML_PLAIN_SCALAR_STYLE
      case .singleQuoted: YAML_SINGLE_QUOTED_SCALAR_STYLE
      case .doubleQuoted: YAML_DOUBLE_QUOTED_SCALAR_STYLE
      // Emitters get the indentation and trailing blanks of block scalars wrong; escapes are exact.
      case .literal, .folded: YAML_DOUBLE_QUOTED_SCALAR_STYLE
      }
    return text.withUTF8 { bytes in
      emit {
        yaml_scalar_event_initialize($0, nil, nil, bytes.baseAddress, Int32(clamping: bytes.count), 1, 1, style)
      }
    }
  }

  /// The emitter owns the event after this call.
  private func emit(_ make: (UnsafeMutablePointer<yaml_event_t>) -> Int32) -> Bool {
    var event = yaml_event_t()
    return make(&event) == 1 && yaml_emitter_emit(emitter, &event) == 1
  }
}
