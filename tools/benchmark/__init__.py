"""The parts of `make bench`: each measures one thing, and beside it its floor.

A floor is the same work done bare: the same operations on the same etcd and the same disk, by the
shortest program that does them, without HTTP, model, queue, retries or fences.

    load           clients that work side by side; latencies, rates, failures
    report         the lines and the table
    samples        the objects that are written, and their rows
    rest_api       create and bind through proton-server and a shim
    bare_server    the floor of both: SQLite and etcd, nothing else
    shim_events    a burst of ports through the shim, live and as a backlog
    start_up       the shim's start with many objects
    bare_process   processes of the floors: answers binds, counts events, loads keys
    bare_watch     a watch without anything around it
    audits         binds beside an audit
    measured_shim  the shim's own numbers: progress and memory
    processor      the processor time of processes
    comparison     two runs beside each other

Belongs here: what only the benchmark needs.  Does not belong here: starting servers
(`gluon.testing`).
"""
