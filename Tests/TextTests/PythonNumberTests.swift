import Testing
import Text

struct PythonNumberTests {
  /// Numbers as Python prints them.
  @Test(arguments: [
    (1e-4, "0.0001"), (0.00012345678901234567, "0.00012345678901234567"), (999_999_999_999_999.9, "999999999999999.9"),
    (0x1p49 + 0.5, "562949953421312.5"), (1e15, "1000000000000000.0"), (123456.789e3, "123456789.0"),
    (0.1 + 0.2, "0.30000000000000004"), (9.999999999999999e-05, "9.999999999999999e-05"), (7, "7.0"),
    (1e14, "100000000000000.0"), (-2.5e-4, "-0.00025"), (0x1p53, "9007199254740992.0"), (1e16, "1e+16"),
  ])
  func `numbers are written as Python writes them, at the limits of every form`(number: Double, text: String) {
    #expect(PythonNumber.repr(number) == text)
  }

  @Test(
    arguments: [
      ("1.5", 1.5), ("-0.25", -0.25), ("+3.", 3), (".5", 0.5), ("１٫", nil), ("٣.٥", 3.5), ("1.1.1", nil), ("", nil),
      ("-", nil),
    ] as [(String, Double?)])
  func `numbers are read as Python's float reads them`(text: String, number: Double?) {
    #expect(PythonNumber.value(text.unicodeScalars) == number)
  }
}
