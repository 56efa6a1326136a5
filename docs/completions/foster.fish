# Completion of foster's command line for fish.
function __foster_signals
    # fish has no builtin that lists them.
    for name in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP \
            TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
        printf '%s\n' $name SIG$name
    end
end
# After the options comes a command with its own arguments.
complete -c foster -x -a "(__fish_complete_subcommand --wrap \
    --name \
    --app-port \
    --app-host \
    --restart \
    --backoff \
    --backoff-max \
    --healthy-after \
    --max-restarts \
    --success \
    --stop-signal \
    --stop-timeout \
    --stop-to \
    --leftovers \
    --forward-to \
    --rewrite \
    --parent-death-signal \
    --log-format \
    --as)"
complete -c foster -l wrap -x -a '(__fish_complete_command)' -d 'keep this running; repeatable'
complete -c foster -l name -x -d 'name in the log of the next --wrap or COMMAND'
complete -c foster -l app-port -x -a none -d 'PORT of the first --wrap, then N+1'
complete -c foster -l app-host -x -a '127.0.0.1 0.0.0.0 ::' -d 'HOST of every --wrap'
complete -c foster -l restart -x -a 'never on-failure always' -d 'never (COMMAND), on-failure or always'
complete -c foster -l backoff -x -d 'delay of the first restart; it doubles'
complete -c foster -l backoff-max -x -d 'the longest delay'
complete -c foster -l healthy-after -x -d 'a run this long resets the delay and count'
complete -c foster -l max-restarts -x -a unlimited -d 'give up after N restarts in a row'
complete -c foster -l success -x -a '(__foster_signals)' -d 'counts as success, as 0 does; repeatable'
complete -c foster -l stop-signal -x -a '(__foster_signals)' -d 'what a stop sends'
complete -c foster -l stop-timeout -x -a infinity -d 'from the stop signal to SIGKILL, or infinity'
complete -c foster -l stop-to -x -a 'leader-first group leader' -d 'leader-first (COMMAND), group (--wrap) or leader'
complete -c foster -l leftovers -x -a 'kill term keep' -d 'what a crash leaves behind: kill, term, keep'
complete -c foster -l keep-orphans -d 'the same as --leftovers keep'
complete -c foster -l forward-to -x -a 'child group' -d 'who gets other signals: child or group'
complete -c foster -l rewrite -x -a '(__foster_signals)' -d 'forward FROM as TO, or drop it if 0; repeatable'
complete -c foster -l session -d 'give COMMAND its own session, as --wrap has'
complete -c foster -l no-subreaper -d 'do not adopt orphans where foster is not PID 1'
complete -c foster -l parent-death-signal -x -a '(__foster_signals)' -d 'send foster SIG when its parent dies'
complete -c foster -l boot -d 'be the init of a whole system'
complete -c foster -l no-boot -d 'do not be the init of a whole system'
complete -c foster -l log-format -x -a 'text json' -d 'text or json'
complete -c foster -l log-time -d 'start each line of text with the time'
complete -c foster -s v -l verbose -d 'log info; -vv: debug, -vvv: trace'
complete -c foster -s q -l quiet -d 'log errors only'
complete -c foster -l as -x -a 'tini dumb-init catatonit' -d 'be tini, dumb-init or catatonit; the first argument'
complete -c foster -s h -l help -d 'print this help'
complete -c foster -s V -l version -d 'print the version'
