/// A large value whose copies share one piece of memory, until one of them is changed.
///
/// The settings of an image are a hundred properties. As a plain structure, each copy of a job would copy them all and count
/// dozens of references. The compiler would also repeat that code in every type that contains a job: it was a fifth of some
/// targets.
@frozen public struct CopyOnWrite<Value> {
  @usableFromInline final class Storage {
    @usableFromInline let value: UnsafeMutablePointer<Value>

    @usableFromInline init(_ value: Value) {
      self.value = .allocate(capacity: 1)
      self.value.initialize(to: value)
    }

    deinit {
      value.deinitialize(count: 1)
      value.deallocate()
    }
  }

  @usableFromInline var storage: Storage

  /// Moves a value to memory of its own.
  public init(_ value: Value) { storage = Storage(value) }

  /// The value. A change copies it first, if other copies share it.
  @inlinable public var value: Value {
    _read { yield storage.value.pointee }
    _modify {
      if !isKnownUniquelyReferenced(&storage) { unshare() }
      yield &storage.value.pointee
    }
  }

  /// Passes a pointer to the value, which is valid until `body` returns.
  @inlinable public func withPointer<Result>(_ body: (UnsafePointer<Value>) -> Result) -> Result {
    withExtendedLifetime(storage) { body(UnsafePointer(storage.value)) }
  }

  @inline(never) @usableFromInline mutating func unshare() { storage = Storage(storage.value.pointee) }
}

// A storage is changed only while a single copy refers to it.
extension CopyOnWrite: @unchecked Sendable where Value: Sendable {}
extension CopyOnWrite.Storage: @unchecked Sendable where Value: Sendable {}

extension CopyOnWrite: Equatable where Value: Equatable {
  /// Whether the values are equal.
  public static func == (one: Self, other: Self) -> Bool {
    one.storage === other.storage || one.storage.value.pointee == other.storage.value.pointee
  }
}

extension CopyOnWrite: Hashable where Value: Hashable {
  /// Hashes the value.
  public func hash(into hasher: inout Hasher) { storage.value.pointee.hash(into: &hasher) }
}
