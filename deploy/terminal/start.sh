#!/usr/bin/env bash
# The entry point of the terminal's container: a display, the terminal, and the bridge with the
# options given here. When one of them ends, all do; on SIGTERM the bridge ends first, in its own time.
set -euo pipefail

made=/opt/mymt5
origin='C:\mymt5\terminal' # as windows_python.py has it
terminal=$WINEPREFIX/drive_c/mymt5/terminal
kind=${TERMINAL:?}
patience=60 # seconds until a part is ready

say() {
    printf '%s\n' "$*" >&2
}

# A new volume gets the prefix that was made with the image.
prepare() {
    local whole=$WINEPREFIX/prepared
    if [[ ! -e $whole ]]; then
        say "preparing the Wine prefix in $WINEPREFIX"
        mkdir -p "$WINEPREFIX"
        cp -a "$made/prefix/." "$WINEPREFIX/"
        if [[ $kind == installed ]]; then
            rm "$terminal/terminal64.exe" # it is empty
        fi
        touch "$whole"
    fi
}

# Waits for a file that a part makes when it is ready.
until_there() {
    local left=$((patience * 10))
    until [[ -e $1 ]]; do
        if ((left-- == 0)); then
            say "error: $2 is not ready in $patience s; look above for why"
            exit 1
        fi
        sleep 0.1
    done
}

# Runs the Windows Python in place of the shell that it is called in.
python() {
    exec wine "$made/python/python.exe" -X utf8 -u "$@"
}

show() {
    export DISPLAY=:0
    Xvfb "$DISPLAY" -screen 0 1024x768x16 -nolisten tcp 2>/dev/null &
    until_there /tmp/.X11-unix/X0 "the display"
}

start_simulated() {
    local port=/tmp/terminal-port ready
    mymt5-simulated-terminal --listen 127.0.0.1:0 --port-file "$port" --path "$origin" \
        --state "$WINEPREFIX/simulated-account" &
    until_there "$port" "the simulated terminal"
    # The relay lives as long as its standard input, and tells when the pipe is there.
    mkfifo /tmp/relay-in /tmp/relay-out
    exec 3<>/tmp/relay-in 4<>/tmp/relay-out
    python "Z:$made/pipe_relay.py" "$(<"$port")" "$origin\\terminal64.exe" <&3 >&4 2> >(cat >&2) &
    if ! read -r -t "$patience" -u 4 ready || [[ $ready != ready* ]]; then
        say "error: the pipe's relay is not ready in $patience s; look above for why"
        exit 1
    fi
}

# A file of settings as the terminal reads them: UTF-16LE with BOM, CRLF.
settings() {
    mkdir -p "$terminal/config"
    { printf '\xff\xfe' && sed 's/$/\r/' | iconv -t UTF-16LE; } >"$terminal/config/$1"
}

start_installed() {
    if [[ ! -s $terminal/terminal64.exe ]]; then
        say "error: no terminal64.exe in $terminal; copy the folder of an installed terminal there"
        exit 78
    fi
    if [[ ! -e $terminal/config/common.ini ]]; then
        printf '%s\n' '[Experts]' Enabled=1 Api=0 Account=0 Profile=0 | settings common.ini
    fi
    # The terminal may write it anew.
    printf '%s\n' '[MCP.MetaEditor]' Enable=0 '' '[MCP.MetaTrader]' Enable=0 | settings assistant.ini
    (exec wine "$origin\\terminal64.exe" /portable 2> >(cat >&2)) &
}

prepare
show
case $kind in
    simulated) start_simulated ;;
    installed) start_installed ;;
esac
python "Z:$made/mymt5_bridge.py" --portable --terminal-path "$origin\\terminal64.exe" "$@" 2> >(cat >&2) &
bridge=$!
asked=
trap 'asked=1' TERM INT # it ends the wait, too
wait -n || true
# SIGINT is Wine's Ctrl-C, which the bridge takes; by SIGTERM it would be gone in the middle of a call.
kill -INT "$bridge" 2>/dev/null || true
status=0
wait "$bridge" || status=$?
if [[ $status == 0 && ! $asked ]]; then
    say "error: a part ended by itself, and all the others with it; look above for why"
    status=1
fi
exit "$status"
