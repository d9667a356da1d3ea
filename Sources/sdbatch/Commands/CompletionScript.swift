import ArgumentParser

/// The shells' completions: what ArgumentParser generates, and what it does not: a recipe as the first word, the topics of
/// `sdbatch help`, and in bash the values of `--set`, which bash splits at the equals sign.
enum CompletionScript {
  /// The script for `--generate-completion-script SHELL`; nil for other arguments, and for shells that ArgumentParser does not
  /// know.
  static func text(for arguments: [String]) -> String? {
    let option = "--generate-completion-script"
    let name: String
    switch arguments.count {
    case 1 where arguments[0].hasPrefix(option + "="): name = String(arguments[0].dropFirst(option.count + 1))
    case 2 where arguments[0] == option: name = arguments[1]
    default: return nil
    }
    guard let shell = CompletionShell(rawValue: name) else { return nil }
    let generated = SDBatch.completionScript(for: shell)
    return switch shell {
    case .bash: generated.replacing("complete -o filenames -F _sdbatch sdbatch", with: bash)
    case .zsh: generated.replacing(zshCommands, with: zshCommands + zshRecipes).replacing(zshHelp, with: zshTopics)
    case .fish: fish(generated)
    default: generated
    }
  }

  private static let topics =
    (SDBatch.configuration.subcommands.compactMap { $0.configuration.commandName } + ["topics"]
    + HelpTopic.pages.map(\.name)).joined(separator: " ")

  // MARK: bash

  private static let bash = #"""
    # Completes what the generated function leaves out: recipes as the first word, topics of help, and KEY=VALUE after --set.
    __sdbatch_all() {
        if [[ "${COMP_CWORD}" -eq 2 && "${COMP_WORDS[1]}" = help ]]; then
            compopt +o filenames
            COMPREPLY=($(compgen -W "\#(topics)" -- "${2}"))
            return
        fi

        # Bash splits words at "=": put the value of --set together again.
        local -a words=()
        local -i index count
        for index in "${!COMP_WORDS[@]}"; do
            [[ "${index}" -gt "${COMP_CWORD}" ]] && break
            count="${#words[@]}"
            if [[ "${count}" -gt 2 && "${words[count - 2]}" =~ ^(--set|-s)$
                && ("${COMP_WORDS[index]}" = "=" || "${words[count - 1]}" = *=) ]]; then
                words[count - 1]+="${COMP_WORDS[index]}"
            else
                words+=("${COMP_WORDS[index]}")
            fi
        done
        count="${#words[@]}"
        local -r value="${words[count - 1]}"
        local is_setting=false
        [[ "${count}" -gt 2 && "${words[count - 2]}" =~ ^(--set|-s)$ ]] && is_setting=true
        # Text that is typed has its blanks escaped.
        "${is_setting}" && words[count - 1]="${value//\\/}"

        local -a COMP_WORDS=("${words[@]}")
        local COMP_CWORD="$((count - 1))" COMP_LINE="${words[*]}"
        local COMP_POINT="${#COMP_LINE}"
        COMPREPLY=()
        _sdbatch "${1}" "${words[count - 1]}" "${words[count - 2]}"

        if "${is_setting}"; then
            compopt +o filenames
            local key=
            # What is left of "=" is not replaced.
            [[ "${value}" = *=* && "${COMP_WORDBREAKS}" = *=* ]] && key="${value%%=*}="
            for index in "${!COMPREPLY[@]}"; do
                if [[ "${COMPREPLY[index]}" = *= ]]; then
                    compopt -o nospace
                else
                    printf -v "COMPREPLY[index]" %q "${COMPREPLY[index]#"${key}"}"
                fi
            done
        elif [[ "${count}" -eq 2 && "${value}" != -* ]]; then
            # A folder may have the name of a command, so "/" marks folders here and not in readline.
            compopt +o filenames
            local path
            while IFS= read -r path; do
                printf -v path %q "${path}"
                COMPREPLY+=("${path}")
            done < <(compgen -d -S / -- "${value}"; compgen -f -- "${value}" | grep -E '\.(yaml|yml|json|jsonl)$')
            [[ "${#COMPREPLY[@]}" -eq 1 && "${COMPREPLY[0]}" = */ ]] && compopt -o nospace
        fi
    }

    complete -o filenames -F __sdbatch_all sdbatch
    """#

  // MARK: zsh

  private static let zshCommands = "        _describe -V subcommand subcommands && ret=0\n"
  private static let zshRecipes = "        _files -g '*.(yaml|yml|json|jsonl)' && ret=0\n"
  private static let zshHelp = "        '*:subcommands:'\n"
  private static let zshTopics = "        '1:topic:(\(topics))'\n"

  // MARK: fish

  /// Completes a recipe like an argument of `run`.
  private static func fish(_ generated: String) -> String {
    let recipes = generated.split(separator: "\n").filter {
      $0.contains("positional \"sdbatch run\" -eq 1' -fa ")
    }
    let lines =
      recipes.map { $0.replacing("\"sdbatch run\"", with: "\"sdbatch\"") } + [
        "complete -c 'sdbatch' -n '__sdbatch_should_offer_completions_for_positional \"sdbatch help\" -eq 1' -fa '\(topics)'"
      ]
    return generated + "\n" + lines.joined(separator: "\n")
  }
}
