# Completion of foster's command line for bash.
_foster() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} index
    # Behind the first word that is no option stands a command with arguments of its own.
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
        --) _command_offset $((index + 1)) && return ;;
        --wrap | --name | --app-port | --app-host | \
            --restart | --backoff | --backoff-max | --healthy-after | \
            --max-restarts | --success | --stop-signal | --stop-timeout | --stop-to | \
            --forward-to | --rewrite | --parent-death-signal | --log-format | --as) index=$((index + 1)) ;;
        -*) ;;
        *) _command_offset "$index" && return ;;
        esac
    done
    case $before in
    --restart) mapfile -t COMPREPLY < <(compgen -W 'never on-failure always' -- "$word") ;;
    --stop-to) mapfile -t COMPREPLY < <(compgen -W 'leader-first group leader' -- "$word") ;;
    --forward-to) mapfile -t COMPREPLY < <(compgen -W 'child group' -- "$word") ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") ;;
    --as) mapfile -t COMPREPLY < <(compgen -W 'tini dumb-init catatonit' -- "$word") ;;
    --stop-signal | --parent-death-signal)
        mapfile -t COMPREPLY < <(compgen -A signal -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -c -W '--wrap --name --app-port --app-host --restart --backoff
        --backoff-max
        --healthy-after --max-restarts --success --stop-signal --stop-timeout --stop-to
        --keep-orphans --forward-to --rewrite --session --no-subreaper --parent-death-signal --boot --no-boot
        --log-format -v -vv -vvv -q --as -h --help -V --version --' -- "$word") ;;
    esac
}
complete -F _foster foster
