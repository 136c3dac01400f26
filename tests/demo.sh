#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# demo.sh BUILD [ARGS...]: start the demo server, trace it, and stop it when the trace ends.
#
# Ctrl-C is for leaktrace alone, so that its last report comes: the server has a session of its own and this shell
# outlives the signal.
set -u

build=$1
shift

setsid "$build/victims/demo_server" &
server=$!
# Set only now: a child of a shell without job control starts with the signals that were ignored here.
trap : INT TERM HUP

# Until the exec, the process is still this shell or setsid.
tries=0
until [ "$(cat /proc/$server/comm 2>/dev/null)" = demo_server ]; do
	tries=$((tries + 1))
	if [ $tries -gt 50 ]; then
		echo 'the demo server did not start' >&2
		kill "$server" 2>/dev/null
		exit 1
	fi
	sleep 0.1
done

"$build/leaktrace" -p "$server" "$@"
status=$?
kill "$server" 2>/dev/null
wait "$server" 2>/dev/null
exit $status
