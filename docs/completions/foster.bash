# Completion of foster's command line for bash, with bash-completion and without.
_foster() {
    local word=${COMP_WORDS[COMP_CWORD]} option= before= values= index=1
    while ((index < COMP_CWORD)); do
        option=${COMP_WORDS[index++]}
        case $option in
        --wrap | \
            --name | \
            --app-port | \
            --app-host | \
            --restart | \
            --backoff | \
            --backoff-max | \
            --healthy-after | \
            --max-restarts | \
            --success | \
            --stop-signal | \
            --stop-timeout | \
            --stop-to | \
            --leftovers | \
            --forward-to | \
            --rewrite | \
            --parent-death-signal | \
            --log-format | \
            --as)
            # To bash, = and : are separate words, unless COMP_WORDBREAKS was changed.
            [[ ${COMP_WORDS[index]} != = ]] || ((index++))
            while [[ ${COMP_WORDS[index + 1]} == :* ]]; do ((index += 2)); done
            ((index < COMP_CWORD)) || break
            ((index++))
            ;;
        --) _foster_command "$index" && return ;;
        -*) ;;
        # The first word that is not an option begins a command with its own arguments.
        *) _foster_command $((index - 1)) && return ;;
        esac
        option=
    done
    case $word in
    --*=*) option=${word%%=*} before=$option= word=${word#*=} ;;
    = | :*) word= ;;
    esac
    case $option in
    '') ;;
    --wrap) mapfile -t COMPREPLY < <(compgen -c -P "$before" -- "$word") && return ;;
    --app-port) values=none ;;
    --restart) values='never on-failure always' ;;
    --max-restarts) values=unlimited ;;
    --success) values=$(_foster_signals) ;;
    --stop-signal) values=$(_foster_signals) ;;
    --stop-timeout) values=infinity ;;
    --stop-to) values='leader-first group leader' ;;
    --leftovers) values='kill term keep' ;;
    --forward-to) values='child group' ;;
    --rewrite) values=$(_foster_signals) ;;
    --parent-death-signal) values=$(_foster_signals) ;;
    --log-format) values='text json' ;;
    --as) values='tini dumb-init catatonit' ;;
    *) return ;;
    esac
    if [[ $option ]]; then
        mapfile -t COMPREPLY < <(compgen -P "$before" -W "$values" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '
            --wrap
            --name
            --app-port
            --app-host
            --restart
            --backoff
            --backoff-max
            --healthy-after
            --max-restarts
            --success
            --stop-signal
            --stop-timeout
            --stop-to
            --leftovers
            --keep-orphans
            --forward-to
            --rewrite
            --session
            --no-subreaper
            --parent-death-signal
            --boot
            --no-boot
            --log-format
            --log-time
            -v
            --verbose
            -q
            --quiet
            --as
            -h
            --help
            -V
            --version --' \
            -- "$word")
    else
        _foster_command "$COMP_CWORD"
    fi
}
# Lists each signal with and without SIG.
_foster_signals() {
    local names
    names=$(compgen -A signal SIG)
    printf '%s\n' "$names" "${names//SIG/}"
}
# Completes from this word on as if foster were not there. bash-completion does it better.
_foster_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif (($1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
    return 0
}
complete -F _foster foster
