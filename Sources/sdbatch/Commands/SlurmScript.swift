import Foundation

/// A shell script that submits a run to Slurm: an array of shards, and a job after them that combines their work.
///
/// Measured on Slurm 22.05: the script contains the number of shards, because `SLURM_ARRAY_TASK_COUNT` changes when a single
/// task is submitted again. The shell waits in a loop until sdbatch has ended, because a trap interrupts `wait`. Only USR1 is
/// passed on: Slurm sends SIGTERM to sdbatch too, and a second one would end it at once.
struct SlurmScript {
  /// The program, as an absolute path that exists on all nodes.
  var program: String
  /// Where the commands run.
  var workingFolder: String
  /// The run folder.
  var folder: String
  /// The name of the run, for job names.
  var name: String
  /// The arguments of `sdbatch run`, without the shard and the threads.
  var arguments: [String]
  /// The number of parts of the plan.
  var shards: Int
  /// Threads of each shard.
  var cpus: Int
  /// The limit for each start of a shard, in Slurm's notation.
  var time: String
  /// Memory of each shard, in Slurm's notation.
  var memory: String?
  /// The instruction set that all nodes compute with.
  var isa: String
  /// How many seconds before the limit a shard is asked to stop.
  var notice: Int
  /// How often a shard that stopped with work left is queued again.
  var requeues: Int
  /// More options of `sbatch`, for the array and for the job after it.
  var options: [String]
  /// The version of the program, for the script's first lines.
  var version: String

  /// Whether each path and option fits on a single line.
  var isPrintable: Bool {
    !([program, workingFolder, folder, name] + arguments + options).contains { $0.contains(where: \.isNewline) }
  }

  /// The script.
  var text: String {
    """
    #!/bin/sh
    # Submits \(name) to Slurm in \(shards) shards (made by sdbatch \(version)). Give it to sh where sbatch is found.
    # Any task can be submitted again at any time, for example with sbatch --array=7 and the first script below.
    set -eu
    mkdir -p \(Self.quoted(logs))

    array=$(sbatch --parsable <<'SDBATCH_SHARDS'
    \(arrayScript)
    SDBATCH_SHARDS
    )
    array=${array%%;*}
    echo "shards: job $array"

    collector=$(sbatch --parsable --dependency="afterany:$array" <<'SDBATCH_COLLECTOR'
    \(collectorScript)
    SDBATCH_COLLECTOR
    )
    echo "collector: job ${collector%%;*}, when all shards have ended"

    """
  }

  private var logs: String { folder + "/slurm" }

  private var arrayScript: String {
    let run = [program, "run"] + arguments
    return """
      #!/bin/bash
      \(directives(job: name, log: "%A_%a.log", time: time, cpus: cpus, memory: memory))
      #SBATCH --array=0-\(shards - 1)
      #SBATCH --signal=B:USR1@\(notice)
      #SBATCH --requeue

      # The same instruction set on all nodes gives the same bytes. A node without it exits with 10.
      export SDBATCH_ISA=\(isa)

      \(run.map(Self.quoted).joined(separator: " ")) \\
        --shard "$SLURM_ARRAY_TASK_ID/\(shards)" --threads "$SLURM_CPUS_PER_TASK" --summary &
      worker=$!

      # \(notice) s before the limit, Slurm sends USR1 to this shell only: then sdbatch saves the unfinished image and exits with 75.
      # Slurm also sends SIGTERM (preemption, requeue, scancel) to sdbatch; this shell only waits.
      warned=
      trap 'warned=yes; kill -USR1 "$worker"' USR1
      trap : TERM
      while
        wait "$worker"
        code=$?
        kill -0 "$worker" 2>/dev/null
      do :; done

      # 75: stopped with work left. 3 (failed jobs) and 10 (unusable input) would happen again. After SIGTERM, Slurm itself queues
      # the task again (preemption), or it was meant to end (scancel).
      if [ -n "$warned" ] && [ "$code" = 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt \(requeues) ]; then
        scontrol requeue "$SLURM_JOB_ID"
      fi
      exit "$code"
      """
  }

  private var collectorScript: String {
    """
    #!/bin/bash
    \(directives(job: name + "-collect", log: "%j-collect.log", time: "1:00:00", cpus: 1, memory: nil))

    \([program, "collect", folder, "--lock-wait", "10m"].map(Self.quoted).joined(separator: " "))
    code=$?
    \([program, "verify", folder].map(Self.quoted).joined(separator: " ")) || exit
    exit "$code"
    """
  }

  private func directives(job: String, log: String, time: String, cpus: Int, memory: String?) -> String {
    // In file names, a percent sign starts one of Slurm's patterns.
    let logPath = logs.replacing("%", with: "%%") + "/" + log
    let lines =
      [
        "--job-name=\(Self.directive(job))", "--chdir=\(Self.directive(workingFolder))",
        "--output=\(Self.directive(logPath))", "--open-mode=append", "--ntasks=1", "--cpus-per-task=\(cpus)",
        "--time=\(time)",
      ] + (memory.map { ["--mem=\($0)"] } ?? []) + options
    return lines.map { "#SBATCH \($0)" }.joined(separator: "\n")
  }

  /// A word for the shell.
  static func quoted(_ text: String) -> String {
    let plain = text.utf8.allSatisfy { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "-_./=+:,@".utf8.contains(byte)
    }
    return plain && !text.isEmpty ? text : "'" + text.replacing("'", with: #"'\''"#) + "'"
  }

  /// A value in a line for `sbatch`, which reads double quotes and backslashes.
  private static func directive(_ text: String) -> String {
    guard text.contains(where: { " \t\"'\\#".contains($0) }) else { return text }
    return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
