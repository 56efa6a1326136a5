# Completion of foster's command line for fish.
function __foster_signals
    # fish has no kill of its own that could list them.
    for name in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP \
            TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
        printf '%s\n' $name SIG$name
    end
end
# Behind the options stands a command with arguments of its own.
complete -c foster -x -a "(__fish_complete_subcommand --wrap --name --app-port --app-host --restart --backoff \
    --backoff-max --healthy-after --max-restarts --success --stop-signal --stop-timeout --stop-to --forward-to --rewrite \
    --parent-death-signal --log-format --as)"
complete -c foster -l wrap -x -a '(__fish_complete_command)' -d 'keep this running'
complete -c foster -l name -x -d 'what the log calls the next service'
complete -c foster -l app-port -x -a none -d 'PORT of the first --wrap'
complete -c foster -l app-host -x -a '127.0.0.1 0.0.0.0 ::' -d 'HOST of each --wrap'
complete -c foster -l restart -x -a 'never on-failure always' -d 'when it is started again'
complete -c foster -l backoff -x -d 'delay of the first restart'
complete -c foster -l backoff-max -x -d 'the longest delay'
complete -c foster -l healthy-after -x -d 'a run of this length starts the row anew'
complete -c foster -l max-restarts -x -a infinity -d 'give up after so many restarts in a row'
complete -c foster -l success -x -a '(__foster_signals)' -d 'counts as success too'
complete -c foster -l stop-signal -x -a '(__foster_signals)' -d 'what a stop sends'
complete -c foster -l stop-timeout -x -a infinity -d 'from the stop signal to SIGKILL'
complete -c foster -l stop-to -x -a 'leader-first group leader' -d 'who gets the stop signal'
complete -c foster -l leftovers -x -a 'kill term keep' -d 'what a crash leaves behind'
complete -c foster -l keep-orphans -d 'spare what left the group of a service'
complete -c foster -l forward-to -x -a 'child group' -d 'who gets other signals'
complete -c foster -l rewrite -x -a '(__foster_signals)' -d 'pass a signal on as another'
complete -c foster -l session -d 'give COMMAND a session of its own'
complete -c foster -l no-subreaper -d 'do not adopt orphans'
complete -c foster -l parent-death-signal -x -a '(__foster_signals)' -d "get this when foster's parent dies"
complete -c foster -l boot -d 'be the init of a whole machine'
complete -c foster -l no-boot -d 'do not be the init of a whole machine'
complete -c foster -l log-format -x -a 'text json' -d 'the form of a line'
complete -c foster -l log-time -d 'let each line begin with the time'
complete -c foster -s v -d 'say more'
complete -c foster -s q -d 'say errors only'
complete -c foster -l as -x -a 'tini dumb-init catatonit' -d 'be another init'
complete -c foster -s h -l help -d 'print help'
complete -c foster -s V -l version -d 'print the version'
