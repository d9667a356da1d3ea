import Foundation
import Testing
import TestSupport

/// What is added to the completions that ArgumentParser generates.
@Suite struct CompletionTests {
  @Test(arguments: [
    ("bash", "complete -o filenames -F __sdbatch_all sdbatch", "complete -o filenames -F _sdbatch sdbatch"),
    ("zsh", "'1:topic:(run ", "'*:subcommands:'"), ("fish", "\"sdbatch help\" -eq 1' -fa 'run ", "?"),
  ])
  func `each script has what is added to it, and the syntax of its shell`(
    shell: String, added: String, replaced: String
  ) async throws {
    let space = try Workspace(recipe: nil)
    let script = try await space.run("--generate-completion-script", shell).output
    #expect(script.contains(added) && !script.contains(replaced))
    #expect(script.contains(" samplers "))
    #expect(try await space.run("--generate-completion-script=\(shell)").output == script)
    try space.write(script, to: "script")
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/\(shell)") else { return }
    let check = Process()
    check.executableURL = URL(fileURLWithPath: "/usr/bin/\(shell)")
    check.arguments = [shell == "fish" ? "--no-execute" : "-n", space.path + "/script"]
    try check.run()
    check.waitUntilExit()
    #expect(check.terminationStatus == 0)
  }

  @Test(
    arguments: [
      (["sdbatch", "run", "--set", "sampler_name", "=", "DPM++\\ 3"], "DPM++\\ 3M\\ SDE"),
      (["sdbatch", "run", "--set", "rng", "="], "cpu nv"), (["sdbatch", "run", "-s", "sampler_na"], "sampler_name="),
      (["sdbatch", "help", "sam"], "samplers"), (["sdbatch", "fi"], "fish.yaml"), (["sdbatch", "sch"], "schema"),
      (["sdbatch", "run", "fis"], "fish.yaml"), (["sdbatch", "fold"], "folder/"),
    ] as [([String], String)])
  func `bash completes the words as readline splits them`(words: [String], expected: String) async throws {
    let space = try Workspace(recipe: nil)
    try space.write("prompt: x\n", to: "fish.yaml")
    try space.write("x", to: "fish.txt")
    try space.makeFolder("folder")
    try space.write(try await space.run("--generate-completion-script", "bash").output, to: "script")
    let quoted = words.map { "'" + $0 + "'" }.joined(separator: " ")
    // The program completes the values of --set itself, by the name that was typed.
    let test = """
      cd \(space.path); sdbatch() { \(Child.program) "$@"; }; compopt() { :; }; source ./script
      COMP_WORDS=(\(quoted)); COMP_CWORD=\(words.count - 1); COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
      __sdbatch_all sdbatch '\(words.last == "=" ? "" : words.last ?? "")' '\(words[words.count - 2])'
      printf '%s\\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
      """
    let bash = Process()
    bash.executableURL = URL(fileURLWithPath: "/bin/bash")
    bash.arguments = ["-c", test]
    let pipe = Pipe()
    bash.standardOutput = pipe
    try bash.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    bash.waitUntilExit()
    #expect(output == expected + "\n")
  }
}
