# Completion of foster's command line for bash, with bash-completion and without.
_foster() {
    local word=${COMP_WORDS[COMP_CWORD]} option= before= values= index=1
    while ((index < COMP_CWORD)); do
        option=${COMP_WORDS[index++]}
        case $option in
        --wrap | --name | --app-port | --app-host | \
            --restart | --backoff | --backoff-max | --healthy-after | \
            --max-restarts | --success | --stop-signal | --stop-timeout | --stop-to | --leftovers | \
            --forward-to | --rewrite | --parent-death-signal | --log-format | --as)
            # To bash = and : are words of their own, unless COMP_WORDBREAKS was changed.
            [[ ${COMP_WORDS[index]} != = ]] || ((index++))
            while [[ ${COMP_WORDS[index + 1]} == :* ]]; do ((index += 2)); done
            ((index < COMP_CWORD)) || break
            ((index++))
            ;;
        --) _foster_command "$index" && return ;;
        -*) ;;
        # Behind the first word that is no option stands a command with arguments of its own.
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
    --app-port) values=none ;;
    --restart) values='never on-failure always' ;;
    --max-restarts | --stop-timeout) values=infinity ;;
    --stop-to) values='leader-first group leader' ;;
    --leftovers) values='kill term keep' ;;
    --forward-to) values='child group' ;;
    --log-format) values='text json' ;;
    --as) values='tini dumb-init catatonit' ;;
    --stop-signal | --parent-death-signal | --success | --rewrite)
        values=$(compgen -A signal SIG)
        values="$values ${values//SIG/}"
        ;;
    --wrap) mapfile -t COMPREPLY < <(compgen -c -P "$before" -- "$word") && return ;;
    *) return ;;
    esac
    if [[ $option ]]; then
        mapfile -t COMPREPLY < <(compgen -P "$before" -W "$values" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--wrap --name --app-port --app-host --restart --backoff
            --backoff-max --healthy-after --max-restarts --success --stop-signal --stop-timeout
            --stop-to --leftovers --keep-orphans --forward-to --rewrite --session --no-subreaper
            --parent-death-signal --boot --no-boot --log-format --log-time -v -vv -vvv -q --as -h --help -V --version --' -- "$word")
    else
        _foster_command "$COMP_CWORD"
    fi
}
# Completes from this word on as if foster were not there, which takes bash-completion.
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
