"""
The journal: every command, cycle record and root, durable before it counts.

Comes in: record bytes. Goes out: the same bytes in the same order, or an error that says what is wrong.
`log` is the journal itself, `snapshot` its snapshot files, `disk` the port to a real disk and `simdisk`
a simulated one that forgets what was not synced. It knows nothing of accounts, margins or cycles.
"""
